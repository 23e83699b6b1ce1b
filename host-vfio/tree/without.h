#ifndef HOST_TREE_WITHOUT_H
#define HOST_TREE_WITHOUT_H

#include "tree/tree.h"

/* A tree that passes everything on to another one, but for some files, which it does not touch and
 * says are not there: those whose paths end in "/ENDING". Writing is refused. Neither `source` nor
 * `endings` is taken over; both must outlive it. */
struct tree *without_tree_create(struct tree *source, const struct strings *endings);

#endif
