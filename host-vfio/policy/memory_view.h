#ifndef HOST_POLICY_MEMORY_VIEW_H
#define HOST_POLICY_MEMORY_VIEW_H

#include <systemd/sd-json.h>

#include "memory/usage.h"
#include "policy/policy.h"

/* The memory of the host as portal-host memory shows it: the plan of guests that are to run
 * together, and the virtual machines that they run beside. */

/* What libvirt says of one of its domains. */
struct memory_domain {
	const char *name;
	bool runs;
	const struct memory_usage *usage; /* NULL: nothing is known of it */
};

/* A virtual machine that is none of the guests. */
struct memory_view_vm {
	const char *name; /* the policy's or libvirt's */
	const char *role; /* "controller", "router"; NULL: none */
	bool runs;
	bool counted; /* beside the guests */
	uint64_t memory, heaps; /* bytes; heaps that the guests' plan does not have */
	uint64_t page; /* of the huge pages that `memory` is in; 0: ordinary ones */
};

struct memory_view {
	struct history history;
	struct scheme scheme; /* the guests */
	struct memory_view_vm *vms;
	size_t vms_count;
};

/* Puts it together: `guests` are those that are to run, with none all of the policy. Beside them
 * are counted: every other domain that runs, the router, and of the controllers those that run, or,
 * while none does, the one that has most. A domain's own definition goes before what the policy
 * says of its memory. Points into the policy, the host and
 * the domains. `history` is taken over. -1 with the
 * reason when it does not fit, with what could be found filled in; finish it either way. */
int memory_view_init(struct memory_view *view, const struct policy *policy, struct history *history,
	const struct memory_host *host, const struct memory_domain *domains, size_t domains_count,
	const struct strings *guests, struct error *error);
void memory_view_finish(struct memory_view *view);

/* With `reason` (may be NULL) instead of a plan. The caller's. */
sd_json_variant *memory_view_json(const struct memory_view *view, const char *reason);

#endif
