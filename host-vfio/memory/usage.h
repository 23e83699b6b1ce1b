#ifndef HOST_MEMORY_USAGE_H
#define HOST_MEMORY_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strings.h"
#include "memory/scheme.h"

/* What virtual machines take of the host's memory, whoever named them. Everything in bytes. */

/* Memory behind a file, which several VMs can have: a guest's heap is its controller's as well. */
struct memory_shared {
	char *path;
	uint64_t size;
	bool own; /* its heap as a guest, not one of its guests' */
};

struct memory_usage {
	uint64_t memory; /* its own, and what its balloon could ask back */
	uint64_t limit; /* that may be locked for it, as its definition says; 0: as much as it wants
			 */
	uint64_t
		page; /* size of the huge pages that this is in (memory_host.h); 0: ordinary ones */
	struct memory_shared *shared;
	size_t shared_count;
};

void memory_usage_finish(struct memory_usage *usage);
/* `path` is copied. */
void memory_usage_share(struct memory_usage *usage, const char *path, uint64_t size, bool own);
void memory_usage_copy(struct memory_usage *usage, const struct memory_usage *from);
/* Its own heap; NULL: it has none. */
const struct memory_shared *memory_usage_heap(const struct memory_usage *usage);
bool memory_usage_has(const struct memory_usage *usage, const char *path);
/* With all that it shares. */
uint64_t memory_usage_total(const struct memory_usage *usage);

/* Somebody who has memory, or will in a moment. */
struct memory_holder {
	const char *name; /* as people call it */
	const struct memory_usage *usage;
	uint64_t heap; /* what its own heap is about to become; 0: what it is */
};

/* What each of them has, a file's memory once: with the one whose own heap it is, else with the
 * first that has it, and the files in `apart` (may be NULL) with none. One for each holder, whose
 * names it points to; the caller's. */
struct scheme_running *memory_holders_count(
	const struct memory_holder *holders, size_t count, const struct strings *apart);

#endif
