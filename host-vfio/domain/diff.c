#include "domain/diff.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/strings.h"

#define CONTEXT 3

static void split(struct strings *lines, const char *text) {
	*lines = (struct strings){0};
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");
		strings_take(lines, must_print("%.*s", (int)length, text));
		text += length + (text[length] == '\n');
	}
}

/* One line of the result. */
struct step {
	char sign;
	const char *line;
};

/* Longest common subsequence: definitions have some hundred lines, the table stays small. */
static uint16_t *common_lengths(const struct strings *a, const struct strings *b) {
	size_t width = b->count + 1;
	uint16_t *table = must_alloc((a->count + 1) * width, sizeof(*table));
	for (size_t i = a->count; i-- > 0;) {
		for (size_t j = b->count; j-- > 0;) {
			uint16_t down = table[(i + 1) * width + j],
				 right = table[i * width + j + 1];
			table[i * width + j] = strcmp(a->items[i], b->items[j]) == 0
						       ? table[(i + 1) * width + j + 1] + 1
						       : (down >= right ? down : right);
		}
	}
	return table;
}

static size_t walk(struct step *steps, const struct strings *a, const struct strings *b) {
	uint16_t *table = common_lengths(a, b);
	size_t width = b->count + 1, count = 0, i = 0, j = 0;
	while (i < a->count || j < b->count) {
		bool same = i < a->count && j < b->count && strcmp(a->items[i], b->items[j]) == 0;
		if (same) {
			steps[count++] = (struct step){' ', a->items[i++]};
			j++;
		} else if (j == b->count || (i < a->count && table[(i + 1) * width + j] >=
								     table[i * width + j + 1])) {
			steps[count++] = (struct step){'-', a->items[i++]};
		} else {
			steps[count++] = (struct step){'+', b->items[j++]};
		}
	}
	free(table);
	return count;
}

static bool near_change(const struct step *steps, size_t count, size_t at) {
	size_t first = at < CONTEXT ? 0 : at - CONTEXT;
	for (size_t i = first; i < count && i <= at + CONTEXT; i++) {
		if (steps[i].sign != ' ') {
			return true;
		}
	}
	return false;
}

char *diff_lines(const char *before, const char *after) {
	struct strings a, b;
	split(&a, before);
	split(&b, after);
	struct step *steps = must_alloc(a.count + b.count + 1, sizeof(*steps));
	size_t count = walk(steps, &a, &b);

	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	bool skipped = false, any = false;
	for (size_t i = 0; stream != NULL && i < count; i++) {
		if (!near_change(steps, count, i)) {
			skipped = true;
			continue;
		}
		if (skipped && any) {
			fputs("@@\n", stream);
		}
		skipped = false;
		any = true;
		fprintf(stream, "%c%s\n", steps[i].sign, steps[i].line);
	}
	if (stream == NULL || fclose(stream) != 0) {
		free(text);
		text = must_copy("");
	}
	free(steps);
	strings_finish(&a);
	strings_finish(&b);
	return text;
}
