#include "base/words.h"

#include <string.h>

bool words_contain(const char *line, const char *word, const char *separators) {
	size_t length = strlen(word);
	for (const char *at = line; (at = strstr(at, word)); at += length) {
		/* strchr() finds the terminator too, which ends a word as well. */
		if ((at == line || strchr(separators, at[-1])) && strchr(separators, at[length])) {
			return true;
		}
	}
	return false;
}
