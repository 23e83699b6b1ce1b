#ifndef HOST_MEMORY_MEMORY_HOST_H
#define HOST_MEMORY_MEMORY_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "tree/tree.h"

/* The memory of a host: huge pages are set aside, and nothing but what asks for them gets any
 * (Documentation/admin-guide/mm/hugetlbpage). Everything in bytes. */

enum {
	MEMORY_POOLS = 8, /* more sizes than any architecture has */
	MEMORY_PAGE_DEFAULT = 1, /* in place of a size: whichever the host gives out unasked */
};

struct memory_pool {
	uint64_t page; /* of this size */
	uint64_t total;
	uint64_t free; /* and promised to nobody */
};

struct memory_host {
	uint64_t total; /* with the pools; 0: not known */
	uint64_t page; /* MEMORY_PAGE_DEFAULT; 0: not known */
	struct memory_pool pools[MEMORY_POOLS];
	size_t pools_count;
};

void memory_host_read(struct memory_host *host, struct tree *tree);
/* What all pools have together. */
uint64_t memory_host_pooled(const struct memory_host *host);
/* The index of the pool for pages of a size, which may be MEMORY_PAGE_DEFAULT; -1: there is none.
 */
int memory_host_find(const struct memory_host *host, uint64_t page);

#endif
