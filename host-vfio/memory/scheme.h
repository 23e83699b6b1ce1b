#ifndef HOST_MEMORY_SCHEME_H
#define HOST_MEMORY_SCHEME_H

#include "memory/history.h"
#include "memory/memory_plan.h"
#include "memory/settings.h"

/* The memory plan of this host: settings, measured use and the machine's memory put together. */

struct scheme {
	uint64_t budget; /* of all guests */
	uint64_t taken; /* of it: what runs already */
	struct memory_demand *demands;
	size_t count;
	struct memory_plan plan; /* of the demands, from what is left */
};

/* A guest that runs: what it has is not planned any more. */
struct scheme_running {
	const char *guest; /* may be one that the settings do not know, or NULL */
	uint64_t memory; /* bytes; 0: as the settings say */
	uint64_t heap;
};

/* `total` is the machine's memory in bytes (size_total_memory()). -1 with the reason: the reserve
 * or the budget is more than there is, or the guests that run have all of it. */
int scheme_init(struct scheme *scheme, const struct memory_settings *settings, uint64_t total,
	const struct scheme_running *running, size_t running_count, struct error *error);
/* A guest of the settings that is to run with the others. */
void scheme_add(struct scheme *scheme, const struct memory_settings *settings,
	const struct history *history, const struct memory_guest *guest);
/* Makes the plan. -1 with the reason when it does not fit. */
int scheme_make(struct scheme *scheme, const struct memory_settings *settings, struct error *error);
void scheme_finish(struct scheme *scheme);

/* What a guest's heap is to be at its start, beside those that run. The settings have to know the
 * guest (memory_settings_find()). `reason` gets a sentence, the caller's. -1 with the reason why it
 * is not to start. */
int scheme_plan_start(const struct memory_settings *settings, const struct history *history,
	uint64_t total, const struct scheme_running *running, size_t running_count,
	const char *guest, uint64_t *heap, char **reason, struct error *error);

#endif
