#ifndef HOST_HOSTD_BUDGET_H
#define HOST_HOSTD_BUDGET_H

#include "hostd/daemon.h"
#include "transaction/preflight.h"

/* Memory, from one budget, for everything that libvirt runs. Without a memory or guest block in the
 * policy nothing is refused; what the policy does not name is, only where it says so. */

/* May the guest start beside those that run, and with which heap? -1 with the reason and who has
 * the memory. 0 bytes: as its domain is defined, because nothing is planned for it, or a controller
 * has the heap. */
int budget_check(struct daemon *daemon, const char *guest, uint64_t *heap, struct error *error);
/* libvirt is about to start a domain, whoever's and from whatever tool, with what it takes, `usage`
 * (NULL: as libvirt last said): may it? It counts from then on. Those that are `leaving` do not. -1
 * with the reason and who has the memory. */
int budget_claim(struct daemon *daemon, const char *domain, const struct memory_usage *usage,
	const struct strings *leaving, struct error *error);
/* Would it fit once these domains have ended? -1 with the reason. */
int budget_check_switch(struct daemon *daemon, const char *domain, const struct strings *leaving,
	struct error *error);
/* What a domain's start takes, and locks where it has devices. False: nothing is known of it. */
bool budget_preflight(const struct daemon *daemon, const char *domain, struct preflight_vm *memory);
/* A guest that the policy has a block for uses so much of its heap now. */
int budget_report(struct daemon *daemon, const char *guest, uint64_t used, struct error *error);
/* The budget, who has what of it, each guest's use and its next heap with the reason; {"reason"}
 * instead of the plan when it does not fit. The caller's. */
sd_json_variant *budget_json(struct daemon *daemon);

#endif
