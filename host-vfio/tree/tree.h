#ifndef HOST_TREE_TREE_H
#define HOST_TREE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/strings.h"

/* The file tree that everything known about a host is read from, and through which it is changed:
 * /sys and /proc of the running machine, the same below another root, or a recorded machine held in
 * memory. Paths are absolute in the tree ("/sys/bus/pci/devices"). */
struct tree;

struct tree_interface {
	/* Bytes read, at most `size`; -1 with errno. */
	ssize_t (*read)(struct tree *tree, const char *path, void *data, size_t size);
	/* The link's text without a terminator, at most `size` bytes; -1 with errno. */
	ssize_t (*read_link)(struct tree *tree, const char *path, char *data, size_t size);
	/* Adds the names in a directory, in any order; -1 with errno. */
	int (*list)(struct tree *tree, const char *path, struct strings *names);
	/* One write(2) of the text, as sysfs wants it. NULL: the tree is read-only (EROFS). */
	int (*write)(struct tree *tree, const char *path, const char *text);
	void (*destroy)(struct tree *tree);
};

/* First member of every implementation. */
struct tree {
	const struct tree_interface *impl;
};

void tree_destroy(struct tree *tree);

/* Paths are printf formats from here on. */

/* A whole small file (at most 1 MiB) as a string of the caller's, without its last newline. NULL
 * with errno; EFBIG when it is larger. */
char *tree_text(struct tree *tree, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The start of a file, unchanged. Bytes read or -1 with errno. */
ssize_t tree_bytes(struct tree *tree, void *data, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* A number as sysfs prints it (decimal, or hexadecimal behind 0x), or `otherwise` when the file is
 * absent or says anything else. */
long long tree_number(struct tree *tree, long long otherwise, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The text of a symbolic link; the caller's. NULL with errno. */
char *tree_link(struct tree *tree, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Where a symbolic link leads, as an absolute path in the tree; the caller's. NULL with errno. */
char *tree_target(struct tree *tree, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The names in a directory, sorted; empty when there is no such directory. */
struct strings tree_list(struct tree *tree, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Is there a file or link that can be read at this path? */
bool tree_exists(struct tree *tree, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes `text` in one call. 0, or -1 with the kernel's errno. */
int tree_write(struct tree *tree, const char *text, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The part of a path behind its last slash. */
const char *path_name(const char *path);
/* "/a/b/../c" to "/a/c". `base` is the directory that a relative `path` starts from. The caller's;
 * arithmetic on the text alone: no link in it is followed. */
char *path_normalise(const char *base, const char *path);

#endif
