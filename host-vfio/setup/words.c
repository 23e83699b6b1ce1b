#include "setup/words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "base/words.h"

/* `content` with the words that it lacks behind it; the caller's. */
static char *add_words(const char *content, const struct strings *words) {
	char *result = must_copy(content);
	for (size_t i = 0; i < words->count; i++) {
		if (words_contain(content, words->items[i], " \t")) {
			continue;
		}
		char *longer = must_print("%s%s%s", result, result[0] ? " " : "", words->items[i]);
		free(result);
		result = longer;
	}
	return result;
}

/* NAME=value, NAME="value" or NAME='value', and whatever follows. The result is always quoted: a
 * space would end an unquoted value. */
static char *add_words_to_assignment(
	const char *line, const char *value, const struct strings *words) {
	char quote = value[0] == '\'' ? '\'' : '"';
	bool quoted = value[0] == quote;
	value += quoted;
	const char quotes[] = {quote, '\0'};
	size_t length = strcspn(value, quoted ? quotes : " \t");
	const char *rest = value + length;
	rest += quoted && *rest == quote;
	char *content = must_print("%.*s", (int)length, value);
	char *longer = add_words(content, words);
	char *result = must_print(
		"%.*s%c%s%c%s", (int)(value - quoted - line), line, quote, longer, quote, rest);
	free(longer);
	free(content);
	return result;
}

char *words_add(const char *line, const struct strings *words) {
	size_t name = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
	if (name > 0 && line[name] == '=') {
		return add_words_to_assignment(line, line + name + 1, words);
	}
	size_t length = strlen(line);
	while (length > 0 && strchr(" \t", line[length - 1])) {
		length--;
	}
	char *content = must_print("%.*s", (int)length, line);
	char *result = add_words(content, words);
	free(content);
	return result;
}

char *words_add_to_lines(const char *text, const char *start, const struct strings *words) {
	char *copy = must_copy(text), *rest = copy, *line;
	struct text result;
	bool found = false;
	text_init(&result);
	while ((line = strsep(&rest, "\n"))) {
		bool fits = strncmp(line, start, strlen(start)) == 0;
		char *changed = fits ? words_add(line, words) : must_copy(line);
		fprintf(result.stream, "%s%s", changed, rest ? "\n" : "");
		found |= fits;
		free(changed);
	}
	free(copy);
	char *whole = text_take(&result);
	if (!found) {
		free(whole);
		whole = NULL;
	}
	return whole;
}
