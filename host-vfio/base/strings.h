#ifndef HOST_BASE_STRINGS_H
#define HOST_BASE_STRINGS_H

#include <stdbool.h>
#include <stddef.h>

/* A growing list of strings of its own. Zero-initialised is empty. */
struct strings {
	char **items;
	size_t count;
};

void strings_finish(struct strings *strings);
void strings_add(struct strings *strings, const char *text);
/* Takes the string over. */
void strings_take(struct strings *strings, char *text);
bool strings_contain(const struct strings *strings, const char *text);
/* Each one that is equal to `text`, which is none of them itself. The others keep their order. */
void strings_remove(struct strings *strings, const char *text);
/* Each one that is equal to one of `others`, which is another list. */
void strings_remove_all(struct strings *strings, const struct strings *others);
/* Byte order, which puts PCI addresses in bus order. */
void strings_sort(struct strings *strings);

#endif
