#ifndef HOST_MEMORY_MEMORY_PLAN_H
#define HOST_MEMORY_MEMORY_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* How much memory each guest and its heap get at the next start, from one budget that is never
 * exceeded. Pure arithmetic; everything in bytes. */

/* Heaps come in pieces of this size: what a DAX device and a huge page are aligned to. */
enum { MEMORY_PLAN_ALIGNMENT = 2 * 1024 * 1024 };

/* And none is smaller: portal-heap's own limit, with the block that makes it a DAX device. */
enum { MEMORY_PLAN_LEAST = 6 * 1024 * 1024 };

struct memory_demand {
	const char *name;
	uint64_t memory; /* of the guest itself: fixed */
	uint64_t heap_least, heap_most;
	uint64_t used; /* what the heap's use over time comes to; 0: nothing is known */
	uint64_t page; /* of the huge pages that `memory` is in; 0: it is in the budget */
};

struct memory_share {
	uint64_t heap;
	char *reason; /* a sentence without a full stop */
};

struct memory_plan {
	struct memory_share *shares; /* one for each demand */
	size_t count;
	uint64_t total; /* guests and heaps, in the budget */
};

/* Each heap gets its use and `headroom` percent more, within its limits; when that is more than the
 * budget has, what is above the least sizes is scaled down alike. -1 with the reason when not even
 * the least sizes fit, or a limit makes no sense. */
int memory_plan_init(struct memory_plan *plan, uint64_t budget, const struct memory_demand *demands,
	size_t count, unsigned headroom, struct error *error);
/* Is there a size that a heap can have between these limits, and is the lower one such a size when
 * it is rounded up? */
bool memory_plan_has_sizes(uint64_t least, uint64_t most);
void memory_plan_finish(struct memory_plan *plan);

#endif
