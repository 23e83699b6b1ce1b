#include "setup/words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "base/words.h"

#define BLANKS " \t"

/* `content` with the words that it lacks behind it; the caller's. */
static char *add_words(const char *content, const struct strings *words) {
	char *result = must_copy(content);
	for (size_t i = 0; i < words->count; i++) {
		if (words_contain(content, words->items[i], BLANKS)) {
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
	const char *first = line + strspn(line, BLANKS);
	size_t name = strspn(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
	if (name > 0 && first[name] == '=') {
		return add_words_to_assignment(line, first + name + 1, words);
	}
	size_t length = strlen(line);
	while (length > 0 && strchr(BLANKS, line[length - 1])) {
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
		/* Shells and boot loaders pass over what a line is indented by. */
		bool fits = strncmp(line + strspn(line, BLANKS), start, strlen(start)) == 0;
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

/* The next byte, with blanks for one between words and for none at either end of a line. */
static char next_byte(const char **text, bool *begins) {
	const char *at = *text;
	size_t blanks = strspn(at, BLANKS);
	at += blanks;
	if (blanks > 0 && !*begins && *at != '\n' && *at != '\0') {
		*text = at;
		return ' ';
	}
	*begins = *at == '\n';
	*text = *at != '\0' ? at + 1 : at;
	return *at;
}

bool words_same(const char *a, const char *b) {
	bool a_begins = true, b_begins = true;
	char byte, other;
	do {
		byte = next_byte(&a, &a_begins);
		other = next_byte(&b, &b_begins);
	} while (byte == other && byte != '\0');
	return byte == other;
}
