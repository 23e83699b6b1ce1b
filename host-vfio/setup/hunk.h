#ifndef HOST_SETUP_HUNK_H
#define HOST_SETUP_HUNK_H

#include <stdio.h>

#include "base/strings.h"

/* The lines between the first and the last that two texts differ in. */
struct hunk {
	struct strings old, new; /* all lines of both */
	size_t head; /* so many are the same before */
	size_t removed, added; /* lines of `old` and of `new` */
};

/* A text that is not there (NULL) has no lines. */
void hunk_init(struct hunk *hunk, const char *before, const char *after);
void hunk_finish(struct hunk *hunk);

/* In the manner of diff -u, without lines around. */
void hunk_print(const struct hunk *hunk, FILE *file);
/* A later text with the change taken back: where it has the new lines, once, it gets the old ones
 * again; where it has those already, it stays so. The caller's. NULL: somebody changed these lines
 * too, or they are there more than once. */
char *hunk_take_back(const struct hunk *hunk, const char *now);

#endif
