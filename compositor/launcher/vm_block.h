#ifndef PORTAL_LAUNCHER_VM_BLOCK_H
#define PORTAL_LAUNCHER_VM_BLOCK_H

#include <stdbool.h>

/* The block of a new guest, and the file that it is added to. */
struct vm_block {
	const char *path;
	const char *original; /* what a new file at `path` begins as a copy of; NULL: nothing */
};

/*
 * Chooses the file: the one that was read, `found` (NULL: none), where this user may write it;
 * else, and not where `asked` says that the user named it, his `own`, whose directories are made.
 * All are borrowed. RUN_OK, or says why there is none and returns RUN_CONFIG.
 */
int vm_block_init(struct vm_block *block, const char *found, const char *own, bool asked);

/* Adds the block, all of it or nothing. RUN_OK, or says why not and returns RUN_CONFIG. */
int vm_block_add(const struct vm_block *block, const char *vm);

#endif
