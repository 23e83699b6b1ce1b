#ifndef HOST_HOSTD_BUDGET_H
#define HOST_HOSTD_BUDGET_H

#include "hostd/daemon.h"

/* Memory, from one budget, for the guests that run. */

/* May the guest start beside those that run, and with which heap? -1 with the reason. A guest
 * without a block in the policy has no part in the plan: 0 bytes. */
int budget_check(struct daemon *daemon, const char *guest, uint64_t *heap, struct error *error);
/* A guest that the policy has a block for uses so much of its heap now. */
int budget_report(struct daemon *daemon, const char *guest, uint64_t used, struct error *error);
/* The budget, each guest's use and its next heap with the reason; {"reason"} when it does not fit.
 * The caller's. */
sd_json_variant *budget_json(struct daemon *daemon);

#endif
