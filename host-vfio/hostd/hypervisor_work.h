#ifndef HOST_HOSTD_HYPERVISOR_WORK_H
#define HOST_HOSTD_HYPERVISOR_WORK_H

#include "base/strings.h"
#include "domain/heap_follower.h"
#include "hostd/hypervisor.h"

/* What the processes do that speak to libvirt. Each line they write is a JSON object:
 * {"domain", "state"}, {"domain", "usage"} (usage_json.h), {"ready": true}, {"failure", "reason"},
 * {"off": true} of a domain that did not have to be stopped, {"warning"} of a start that goes on
 * all the same; of heaps also {"guest", "came"} when one came or, false, went, and {"guest",
 * "reason"} when it did not. */

struct hypervisor_work {
	const char *uri;
	const struct strings *domains; /* to watch beside those that libvirt has */
	struct hypervisor_order order; /* or to do this */
};

/* Both are work for job_start(). The first returns when the connection is lost. */
int hypervisor_work_watch(void *work, int out);
int hypervisor_work_call(void *work, int out);

struct hypervisor_heaps {
	const char *uri;
	const char *controller; /* its domain */
	const struct heap_follower_guest *guests;
	size_t count;
	unsigned deadline_ms; /* for the controller's system to let a heap go */
};

/* The same, for a controller that runs. Returns EXIT_SUCCESS where it has no ports for heaps. */
int hypervisor_work_heaps(void *heaps, int out);

#endif
