#ifndef HOST_BASE_TEXT_H
#define HOST_BASE_TEXT_H

#include <stdio.h>
#include <sys/types.h>

#include "base/error.h"

/* A text that is printed piece by piece, for what is not known to be whole before its end: a file
 * that replaces another one, a value of many lines. */
struct text {
	FILE *stream; /* print here */
	char *content;
	size_t size;
};

void text_init(struct text *text);
/* Ends it. What was printed, the caller's. */
char *text_take(struct text *text);
/* Ends it. What was printed becomes the file's content, as file_replace() does it. */
int text_replace_file(struct text *text, const char *path, mode_t mode, struct error *error);

#endif
