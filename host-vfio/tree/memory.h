#ifndef HOST_TREE_MEMORY_H
#define HOST_TREE_MEMORY_H

#include "tree/tree.h"

/* A tree held in memory: a recorded machine. It follows symbolic links as the kernel does (at most
 * 40), and cannot be written through tree_write. */
struct memory_tree;

enum memory_node_kind {
	MEMORY_DIRECTORY,
	MEMORY_FILE,
	MEMORY_LINK,
};

struct memory_tree *memory_tree_create(void);
struct tree *memory_tree_base(struct memory_tree *tree);

/* Put something at a path, making its directories; what was there is replaced, except that a
 * directory with something in it stays. Links are not followed: the path must be real. -1 with
 * errno: ENOTDIR, EISDIR, EINVAL for a path that is not absolute and plain. */
int memory_tree_put_directory(struct memory_tree *tree, const char *path);
int memory_tree_put_file(struct memory_tree *tree, const char *path, const void *data, size_t size);
int memory_tree_put_link(struct memory_tree *tree, const char *path, const char *target);
/* Takes out what is at the path, with everything below it. Absent is fine. */
void memory_tree_remove(struct memory_tree *tree, const char *path);

/* Calls `visit` for everything in the tree but its root: of each directory first the files and
 * links, then the directories, each in byte order. `data` is the file's content or the link's text;
 * of a directory `size` is the number of names in it. */
typedef void (*memory_tree_visit_func_t)(
	const char *path, enum memory_node_kind kind, const void *data, size_t size, void *user);
void memory_tree_visit(const struct memory_tree *tree, memory_tree_visit_func_t visit, void *user);

#endif
