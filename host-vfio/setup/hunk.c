#include "setup/hunk.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"

static struct strings split(const char *text) {
	struct strings lines = {0};
	char *copy = must_copy(text ? text : ""), *rest = copy, *line;
	while ((line = strsep(&rest, "\n"))) {
		if (rest || line[0] != '\0') {
			strings_add(&lines, line);
		}
	}
	free(copy);
	return lines;
}

void hunk_init(struct hunk *hunk, const char *before, const char *after) {
	*hunk = (struct hunk){.old = split(before), .new = split(after)};
	const struct strings *old = &hunk->old, *new = &hunk->new;
	size_t head = 0, tail = 0;
	while (head < old->count && head < new->count &&
		strcmp(old->items[head], new->items[head]) == 0) {
		head++;
	}
	while (tail < old->count - head && tail < new->count - head &&
		strcmp(old->items[old->count - tail - 1], new->items[new->count - tail - 1]) == 0) {
		tail++;
	}
	hunk->head = head;
	hunk->removed = old->count - head - tail;
	hunk->added = new->count - head - tail;
}

void hunk_finish(struct hunk *hunk) {
	strings_finish(&hunk->old);
	strings_finish(&hunk->new);
}

void hunk_print(const struct hunk *hunk, FILE *file) {
	size_t head = hunk->head;
	/* Where nothing is, the number is that of the line before it. */
	fprintf(file, "@@ -%zu,%zu +%zu,%zu @@\n", head + (hunk->removed > 0), hunk->removed,
		head + (hunk->added > 0), hunk->added);
	for (size_t i = 0; i < hunk->removed; i++) {
		fprintf(file, "-%s\n", hunk->old.items[head + i]);
	}
	for (size_t i = 0; i < hunk->added; i++) {
		fprintf(file, "+%s\n", hunk->new.items[head + i]);
	}
}

/* How often some of the lines of one text are together in another; `place`: where last. */
static size_t count_places(const struct strings *lines, const struct strings *part, size_t first,
	size_t count, size_t *place) {
	size_t places = 0;
	for (size_t at = 0; count > 0 && at + count <= lines->count; at++) {
		size_t same = 0;
		while (same < count &&
			strcmp(lines->items[at + same], part->items[first + same]) == 0) {
			same++;
		}
		if (same == count) {
			*place = at;
			places++;
		}
	}
	return places;
}

char *hunk_take_back(const struct hunk *hunk, const char *now) {
	struct strings lines = split(now);
	size_t place = 0, length = strlen(now);
	size_t places = count_places(&lines, &hunk->new, hunk->head, hunk->added, &place);
	char *result = NULL;
	if (places == 1) {
		struct text text;
		text_init(&text);
		for (size_t i = 0; i < lines.count + hunk->removed - hunk->added; i++) {
			const char *line = i < place ? lines.items[i]
					   : i < place + hunk->removed
						   ? hunk->old.items[hunk->head + i - place]
						   : lines.items[i + hunk->added - hunk->removed];
			fprintf(text.stream, "%s%s", i > 0 ? "\n" : "", line);
		}
		fputs(length > 0 && now[length - 1] == '\n' ? "\n" : "", text.stream);
		result = text_take(&text);
	} else if (places == 0 &&
		   count_places(&lines, &hunk->old, hunk->head, hunk->removed, &place) == 1) {
		result = must_copy(now);
	}
	strings_finish(&lines);
	return result;
}
