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
	/* What makes other files of these (initramfs, boot menu): to be run when they were made,
	 * and when they were taken back. */
	struct strings commands;
	/* Instead of them when the files were taken back; empty: the same. */
	struct strings undo_commands;
};

struct changes_undone {
	struct strings commands;
	struct strings gone; /* files that somebody removed meanwhile, and that stay so */
	struct strings merged; /* files of which only the lines of the set-up were taken back */
	/* Why nothing was taken back: files in which somebody changed these lines, from how they
	 * were left to how they are. */
	struct changes edited;
};

/* A path below the root as one outside of it; the caller's. */
char *changes_path(const char *root, const char *path);
/* The content of a file below the root; the caller's. NULL with errno. Not above 1 MiB. */
char *changes_read(const char *root, const char *path);
/* Adds the paths below the root of a directory's files whose names end like this, in order. */
void changes_list(
	struct strings *paths, const char *root, const char *directory, const char *suffix);
/* The mode of a file below the root; 0644 for one that is not there. */
mode_t changes_mode(const char *root, const char *path);
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
 * Where somebody changed a file elsewhere, only the set-up's own lines are taken back. Refused,
 * naming the file, when somebody changed those; then nothing is changed. A file that was removed
 * meanwhile stays so: a kernel's boot entry goes with the kernel. One that has another counter of
 * systemd-boot's tries by now, or none, is taken back under its new name. */
int changes_undo(
	const char *root, const char *manifest, struct changes_undone *undone, struct error *error);
void changes_undone_finish(struct changes_undone *undone);

#endif
