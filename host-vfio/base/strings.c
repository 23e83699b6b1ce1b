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

void strings_remove(struct strings *strings, const char *text) {
	size_t kept = 0;
	for (size_t i = 0; i < strings->count; i++) {
		if (strcmp(strings->items[i], text) == 0) {
			free(strings->items[i]);
		} else {
			strings->items[kept++] = strings->items[i];
		}
	}
	strings->count = kept;
}

void strings_remove_all(struct strings *strings, const struct strings *others) {
	for (size_t i = 0; i < others->count; i++) {
		strings_remove(strings, others->items[i]);
	}
}

static int compare(const void *a, const void *b) {
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strings_sort(struct strings *strings) {
	if (strings->count > 1) {
		qsort(strings->items, strings->count, sizeof(*strings->items), compare);
	}
}
