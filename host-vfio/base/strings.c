#include "strings.h"

#include <stdlib.h>
#include <string.h>

#include "must.h"

void strings_finish(struct strings *strings) {
	for (size_t i = 0; i < strings->count; i++) {
		free(strings->items[i]);
	}
	free(strings->items);
	*strings = (struct strings){0};
}

void strings_take(struct strings *strings, char *text) {
	strings->items = must_grow(strings->items, strings->count, sizeof(*strings->items));
	strings->items[strings->count++] = text;
}

void strings_add(struct strings *strings, const char *text) {
	strings_take(strings, must_copy(text));
}

bool strings_contain(const struct strings *strings, const char *text) {
	for (size_t i = 0; i < strings->count; i++) {
		if (strcmp(strings->items[i], text) == 0) {
			return true;
		}
	}
	return false;
}

static int compare(const void *a, const void *b) {
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strings_sort(struct strings *strings) {
	if (strings->count > 1) {
		qsort(strings->items, strings->count, sizeof(*strings->items), compare);
	}
}
