#ifndef HOST_INVENTORY_LIVE_H
#define HOST_INVENTORY_LIVE_H

#include "tree/tree.h"

/* The tree below a directory, as directory_tree_create() has it. With "/", the running machine, it
 * has two files more, which no file system has, since the kernel tells what is in them by netlink
 * only or spread over many places: /network/routes (routes.h) and /network/logins (logins.h). Being
 * files they are recorded like others. NULL with errno. */
struct tree *live_tree_create(const char *root);

#endif
