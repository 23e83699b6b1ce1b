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
	bool alive; /* libvirt, or its hook, has said that it runs, and nobody that it has ended */
	unsigned endings; /* that the hook has told, and libvirt's events have not yet */
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
/* What libvirt's events say. They come later than what its hook says, by then it may have been
 * started again: `former` is set when this is of a life before. `usage` NULL: not told. False when
 * there is no change, or it is none that the policy names. */
bool domains_set(struct domains *domains, const char *name, int state,
	const struct memory_usage *usage, bool *former);
/* The same, of its memory only. */
bool domains_set_usage(struct domains *domains, const char *name, const struct memory_usage *usage);
/* libvirt's hook was told that it may start: its memory is counted until it is released, or libvirt
 * says that it does not run any more. `usage` may be NULL. */
void domains_hold(struct domains *domains, const char *name, const struct memory_usage *usage);
/* The hook says that it runs. */
void domains_started(struct domains *domains, const char *name);
/* It says that it does not any more, or it was not started after all. */
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
