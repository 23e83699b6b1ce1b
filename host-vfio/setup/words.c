#include "setup/words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "base/words.h"

#define BLANKS " \t"

/* What keeps an IOMMU off, wherever on the line it is: a word that switches it on, or says how it
 * is to be used, is worth nothing beside it. */
static const struct {
	const char *word, *contradiction;
} contradictions[] = {
	{"iommu=pt", "iommu=off"},
	{"iommu=pt", "intel_iommu=off"},
	{"iommu=pt", "amd_iommu=off"},
};
static const size_t contradictions_count = sizeof(contradictions) / sizeof(contradictions[0]);

static void drop_word(char *content, const char *word) {
	size_t length = strlen(word);
	for (char *at = content; (at = strstr(at, word));) {
		if ((at > content && !strchr(BLANKS, at[-1])) || !strchr(BLANKS, at[length])) {
			at += length;
			continue;
		}
		/* With the blanks behind it, or those before it at the end. */
		char *rest = at + length + strspn(at + length, BLANKS);
		while (*rest == '\0' && at > content && strchr(BLANKS, at[-1])) {
			at--;
		}
		memmove(at, rest, strlen(rest) + 1);
	}
}

/* Takes out what contradicts one of the words. */
static void drop_contradictions(char *content, const struct strings *words) {
	for (size_t i = 0; i < contradictions_count; i++) {
		if (strings_contain(words, contradictions[i].word)) {
			drop_word(content, contradictions[i].contradiction);
		}
	}
}

/* `content` without what contradicts the words, and with those that it lacks behind it; the
 * caller's. */
static char *add_words(const char *content, const struct strings *words, bool only_clear) {
	char *result = must_copy(content);
	drop_contradictions(result, words);
	if (only_clear) {
		return result;
	}
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

/* Up to what ends it in a shell, which no backslash is before. */
static size_t value_length(const char *value, const char *ends, bool escapes) {
	size_t length = strcspn(value, ends);
	while (escapes && length > 0 && value[length] != '\0' && value[length - 1] == '\\') {
		length += 1 + strcspn(value + length + 1, ends);
	}
	return length;
}

/* NAME=value, NAME="value" or NAME='value', and whatever follows. The result is always quoted: a
 * space would end an unquoted value. Words come to the front of a value that goes on in the next
 * line. */
static char *add_words_to_assignment(
	const char *line, const char *value, const struct strings *words, bool only_clear) {
	char quote = value[0] == '\'' ? '\'' : '"';
	bool quoted = value[0] == quote;
	value += quoted;
	const char quotes[] = {quote, '\0'};
	size_t length = value_length(value, quoted ? quotes : BLANKS, quote == '"');
	const char *rest = value + length;
	bool open = quoted && *rest == '\0';
	rest += quoted && *rest == quote;
	char *content = must_print("%.*s", (int)length, value);
	char *longer = add_words(open ? "" : content, words, only_clear);
	char *result = must_print("%.*s%c%s%s%s%s", (int)(value - quoted - line), line, quote,
		longer, open ? longer[0] ? " " : "" : quotes, open ? content : "", rest);
	free(longer);
	free(content);
	return result;
}

static char *change_line(const char *line, const struct strings *words, bool only_clear) {
	const char *first = line + strspn(line, BLANKS);
	size_t name = strspn(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
	if (name > 0 && first[name] == '=') {
		return add_words_to_assignment(line, first + name + 1, words, only_clear);
	}
	size_t length = strlen(line);
	while (length > 0 && strchr(BLANKS, line[length - 1])) {
		length--;
	}
	char *content = must_print("%.*s", (int)length, line);
	char *result = add_words(content, words, only_clear);
	free(content);
	return result;
}

char *words_add(const char *line, const struct strings *words) {
	return change_line(line, words, false);
}

/* NULL when no line starts so. */
static char *change_lines(
	const char *text, const char *start, const struct strings *words, bool only_clear) {
	char *copy = must_copy(text), *rest = copy, *line;
	struct text result;
	bool found = false;
	text_init(&result);
	while ((line = strsep(&rest, "\n"))) {
		/* Shells and boot loaders pass over what a line is indented by. */
		bool fits = strncmp(line + strspn(line, BLANKS), start, strlen(start)) == 0;
		char *changed = fits ? change_line(line, words, only_clear) : must_copy(line);
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

char *words_add_to_lines(const char *text, const char *start, const struct strings *words) {
	return change_lines(text, start, words, false);
}

/* Are there any in a line of the text that starts so? */
static bool has_contradiction(const char *text, const char *start, const struct strings *words) {
	bool found = false;
	char *copy = must_copy(text), *rest = copy, *line;
	while ((line = strsep(&rest, "\n"))) {
		for (size_t i = 0; i < contradictions_count; i++) {
			found |=
				strncmp(line + strspn(line, BLANKS), start, strlen(start)) == 0 &&
				strings_contain(words, contradictions[i].word) &&
				words_contain(line, contradictions[i].contradiction, BLANKS "=\"'");
		}
	}
	free(copy);
	return found;
}

char *words_clear_lines(const char *text, const char *start, const struct strings *words) {
	return has_contradiction(text, start, words) ? change_lines(text, start, words, true)
						     : NULL;
}

/* In comments they stay. */
static size_t count_lines_with(const char *text, const char *word) {
	size_t count = 0;
	char *copy = must_copy(text), *rest = copy, *line;
	while ((line = strsep(&rest, "\n"))) {
		count += words_contain(line, word, BLANKS "=\"'");
	}
	free(copy);
	return count;
}

void words_find_cleared(struct strings *cleared, const char *before, const char *after) {
	for (size_t i = 0; i < contradictions_count; i++) {
		const char *word = contradictions[i].contradiction;
		if (count_lines_with(before, word) > count_lines_with(after, word) &&
			!strings_contain(cleared, word)) {
			strings_add(cleared, word);
		}
	}
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
