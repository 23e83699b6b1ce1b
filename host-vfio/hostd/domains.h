#ifndef HOST_HOSTD_DOMAINS_H
#define HOST_HOSTD_DOMAINS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strings.h"
#include "hostd/hypervisor.h"

/* What libvirt last said of the domains that the policy names. */

struct domain_entry {
	char *name;
	int state; /* enum domain_state or HYPERVISOR_UNKNOWN */
	uint64_t heap_size; /* bytes, 0: none or not known */
};

struct domains {
	struct domain_entry *items;
	size_t count;
	bool known; /* the states are libvirt's; else there is no libvirt at the moment */
	char *reason; /* why not */
};

void domains_finish(struct domains *domains);
/* These and no others from now on; what is known of those that stay is kept. */
void domains_name(struct domains *domains, const struct strings *names);
/* False when it is none of ours, or there is no change. */
bool domains_set(struct domains *domains, const char *name, int state, uint64_t heap_size);
/* libvirt is gone: nothing is known any more. */
void domains_forget(struct domains *domains, const char *reason);
void domains_know(struct domains *domains);
/* HYPERVISOR_UNKNOWN also for one that was not named. */
int domains_state(const struct domains *domains, const char *name);
const struct domain_entry *domains_find(const struct domains *domains, const char *name);
/* "unknown", "undefined", "off", "running", "paused", "stopping". */
const char *domains_state_name(int state);

#endif
