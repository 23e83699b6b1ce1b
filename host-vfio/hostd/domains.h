#ifndef HOST_HOSTD_DOMAINS_H
#define HOST_HOSTD_DOMAINS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strings.h"
#include "hostd/hypervisor.h"

/* What libvirt last said of its domains: those that the policy names, and all others, since they
 * have memory too. */

/* What is known of a domain's memory before, or without, its state. */
enum domain_hold {
	DOMAIN_AS_STATE, /* nothing */
	DOMAIN_HELD, /* it may start, or ran when libvirt was last heard of: it has its memory */
	DOMAIN_RELEASED, /* libvirt's hook has said that it is gone, before libvirt's event does */
};

struct domain_entry {
	char *name;
	bool named; /* by the policy */
	int state; /* enum domain_state or HYPERVISOR_UNKNOWN */
	enum domain_hold hold;
	bool usage_known;
	struct memory_usage usage; /* by its definition, or while it runs */
};

struct domains {
	struct domain_entry *items;
	size_t count;
	bool known; /* the states are libvirt's; else there is no libvirt at the moment */
	char *reason; /* why not */
};

void domains_finish(struct domains *domains);
/* The policy names these from now on; what is known is kept. */
void domains_name(struct domains *domains, const struct strings *names);
/* False when there is no change, or it is none that the policy names. `usage` NULL: not told. */
bool domains_set(
	struct domains *domains, const char *name, int state, const struct memory_usage *usage);
/* The same, of its memory only. */
bool domains_set_usage(struct domains *domains, const char *name, const struct memory_usage *usage);
/* libvirt's hook was told that it may start, or says that it runs: its memory is counted until it
 * is released, or libvirt says that it does not run any more. `usage` may be NULL. */
void domains_hold(struct domains *domains, const char *name, const struct memory_usage *usage);
void domains_release(struct domains *domains, const char *name);
/* Does it have its memory, as far as is known? */
bool domain_has_memory(const struct domain_entry *entry);
/* Bytes of its heap as a guest; 0: it has none, or nothing is known. */
uint64_t domain_heap_size(const struct domain_entry *entry);
/* libvirt is gone: nothing is known any more. */
void domains_forget(struct domains *domains, const char *reason);
void domains_know(struct domains *domains);
/* HYPERVISOR_UNKNOWN also for one that was not named. */
int domains_state(const struct domains *domains, const char *name);
const struct domain_entry *domains_find(const struct domains *domains, const char *name);
/* "unknown", "undefined", "off", "running", "paused", "stopping". */
const char *domains_state_name(int state);

#endif
