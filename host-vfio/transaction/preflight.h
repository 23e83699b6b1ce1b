#ifndef HOST_TRANSACTION_PREFLIGHT_H
#define HOST_TRANSACTION_PREFLIGHT_H

#include "transaction/plan.h"

/* What stands in the way of a plan, or is worth knowing before it. */
struct finding {
	bool blocks;
	char *text; /* a sentence without a full stop */
};

struct findings {
	struct finding *items;
	size_t count;
};

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
/* VFIO locks all of a VM's memory: compares `memory` bytes with the limit of this process and with
 * what the machine has. */
void preflight_memory(struct findings *findings, struct tree *tree, uint64_t memory);
void findings_add(struct findings *findings, bool blocks, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool findings_block(const struct findings *findings);
void findings_finish(struct findings *findings);

#endif
