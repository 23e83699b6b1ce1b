#ifndef HOST_TREE_MACHINE_FILE_H
#define HOST_TREE_MACHINE_FILE_H

#include <stdio.h>

#include "base/error.h"
#include "tree/memory.h"

/* A recorded machine as text, portal-machine(5). */

/* Reads one. NULL with the line and the reason in `error`. */
struct memory_tree *machine_file_parse(FILE *file, const char *name, struct error *error);
struct memory_tree *machine_file_load(const char *path, struct error *error);

/* Writes one; what is written reads back as the same tree, and the same tree always gives the same
 * text. -1 with errno. */
int machine_file_write(const struct memory_tree *tree, FILE *file);

#endif
