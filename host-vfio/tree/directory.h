#ifndef HOST_TREE_DIRECTORY_H
#define HOST_TREE_DIRECTORY_H

#include "tree/tree.h"

/* The tree below a directory; "/" is the running machine. No link leads out of the directory
 * (openat2(2), RESOLVE_IN_ROOT). NULL with errno. */
struct tree *directory_tree_create(const char *root);

#endif
