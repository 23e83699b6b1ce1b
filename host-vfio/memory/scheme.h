#ifndef HOST_MEMORY_SCHEME_H
#define HOST_MEMORY_SCHEME_H

#include "memory/history.h"
#include "memory/memory_host.h"
#include "memory/memory_plan.h"
#include "memory/settings.h"

/* The memory plan of this host: settings, measured use and the machine's memory put together. */

/* Huge pages of one size: what is in them is not in the budget. */
struct scheme_pool {
	uint64_t page, total;
	uint64_t taken; /* by those that run */
	uint64_t planned; /* for the demands */
	char *holders; /* as below */
};

struct scheme {
	const struct memory_host *host;
	struct scheme_pool pools[MEMORY_POOLS]; /* the host's */
	uint64_t budget; /* of all virtual machines, for what is in ordinary pages */
	uint64_t taken; /* of it: what runs already */
	char *holders; /* who has it, "work (4 GiB), mail (2 GiB)"; NULL: nobody */
	struct memory_demand *demands;
	size_t count;
	struct memory_plan plan; /* of the demands, from what is left */
};

/* A virtual machine that runs: what it has is not planned any more. */
struct scheme_running {
	const char *name; /* as people call it */
	uint64_t memory, heap; /* bytes: its own, and the heaps that are counted with it */
	uint64_t page; /* of the huge pages that its own is in (memory_host.h); 0: ordinary ones */
};

/* `host` is what the machine has, and has to stay. -1 with the reason: the reserve or the budget is
 * more than there is beside the huge pages, or those that run have more than all of it. */
int scheme_init(struct scheme *scheme, const struct memory_settings *settings,
	const struct memory_host *host, const struct scheme_running *running, size_t running_count,
	struct error *error);
/* A guest of the settings that is to run with the others; with so much memory of its own in such
 * pages, or with 0 what the settings say. */
void scheme_add(struct scheme *scheme, const struct memory_settings *settings,
	const struct history *history, const struct memory_guest *guest, uint64_t memory,
	uint64_t page);
/* Makes the plan. -1 with the reason when it does not fit, and beside whom. */
int scheme_make(struct scheme *scheme, const struct memory_settings *settings, struct error *error);
void scheme_finish(struct scheme *scheme);

/* Who is to start, beside those that run. */
struct scheme_start {
	const char *name;
	uint64_t memory; /* bytes of its own; of a guest of the settings 0: what they say */
	uint64_t heaps; /* of which there is nothing to plan */
	uint64_t page; /* of the huge pages that its own is in; 0: ordinary ones */
};

/* What a guest's heap is to be at its start. The settings have to know the guest
 * (memory_settings_find()). `reason` gets a sentence, the caller's. -1 with the reason why it is
 * not to start, and who has the memory. */
int scheme_plan_start(const struct memory_settings *settings, const struct history *history,
	const struct memory_host *host, const struct scheme_running *running, size_t running_count,
	const struct scheme_start *start, uint64_t *heap, char **reason, struct error *error);
/* The same for a virtual machine of which there is nothing to plan: its memory and its heaps are
 * what they are. */
int scheme_check_start(const struct memory_settings *settings, const struct memory_host *host,
	const struct scheme_running *running, size_t running_count,
	const struct scheme_start *start, struct error *error);

#endif
