#ifndef HOST_TRANSACTION_PREFLIGHT_H
#define HOST_TRANSACTION_PREFLIGHT_H

#include "transaction/findings.h"
#include "transaction/plan.h"

enum preflight_flags {
	/* Text consoles and framebuffers on the card are taken off it. */
	PREFLIGHT_RELEASE_CONSOLE = 1 << 0,
	/* Processes that have the devices open are stopped. */
	PREFLIGHT_STOP_HOLDERS = 1 << 1,
};

/* Looks at everything that a plan to take devices would touch: IOMMU groups and who else is in
 * them, who holds the devices, virtual functions, reset, and the survival guard, except for the
 * addresses in `unguarded`. `names` are the addresses that were asked for. */
void preflight_take(struct findings *findings, const struct plan *plan,
	const struct machine *machine, const struct strings *names, const struct strings *unguarded,
	unsigned flags);

/* A VM that is to get devices: VFIO locks all of its memory. Everything in bytes. */
struct preflight_vm {
	uint64_t memory; /* its own */
	uint64_t page; /* of the huge pages that this is in (memory_host.h); 0: ordinary ones */
	uint64_t heaps; /* in files */
	uint64_t heaps_missing; /* of these what is in no memory yet */
	uint64_t limit; /* that may be locked, by its definition; 0: as much as it wants */
	uint64_t starter_limit; /* by whoever starts it; 0: not known */
};

/* Compares that with what the machine has, and what may be locked. */
void preflight_memory(struct findings *findings, struct tree *tree, const struct preflight_vm *vm);
/* Only with the free huge pages, of a VM whose memory is in any. */
void preflight_pages(struct findings *findings, struct tree *tree, const struct preflight_vm *vm);

#endif
