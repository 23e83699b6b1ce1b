#ifndef HOST_SETUP_CHANGES_H
#define HOST_SETUP_CHANGES_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/strings.h"

/* A set of changes to files below a root directory, that can be looked at, made and taken back. */

struct change_file {
	char *path; /* absolute below the root */
	char *before; /* NULL: there is none */
	char *after;
	mode_t mode;
};

struct changes {
	struct change_file *files;
	size_t count;
};

/* The content of a file below the root; the caller's. NULL with errno. Not above 1 MiB. */
char *changes_read(const char *root, const char *path);
/* The file shall have this content; what it has now is read. Nothing is added when it has it
 * already. An existing file keeps its mode. -1 with the reason. */
int changes_add(struct changes *changes, const char *root, const char *path, const char *after,
	mode_t mode, struct error *error);
void changes_finish(struct changes *changes);

/* What would change, in the manner of diff -u. */
void changes_print(const struct changes *changes, FILE *file);

/* Makes the changes. What was there is written to `manifest` before the first of them, so that they
 * can be taken back whatever happens; -1 with the reason, and then nothing is changed. */
int changes_apply(
	const struct changes *changes, const char *root, const char *manifest, struct error *error);
/* Takes back what a manifest tells of, with the directories that were made, and removes it.
 * Refused, naming the file, when somebody changed one in the meantime; then nothing is changed. */
int changes_undo(const char *root, const char *manifest, struct error *error);

#endif
