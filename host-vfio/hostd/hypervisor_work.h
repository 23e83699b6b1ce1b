#ifndef HOST_HOSTD_HYPERVISOR_WORK_H
#define HOST_HOSTD_HYPERVISOR_WORK_H

#include "base/strings.h"
#include "hostd/hypervisor.h"

/* What the processes do that speak to libvirt. Each line they write is a JSON object:
 * {"domain", "state", "heapSize"?}, {"ready": true}, {"failure", "reason"}. */

struct hypervisor_work {
	const char *uri;
	const struct strings *domains; /* to watch */
	struct hypervisor_order order; /* or to do this */
};

/* Both are work for job_start(). The first returns when the connection is lost. */
int hypervisor_work_watch(void *work, int out);
int hypervisor_work_call(void *work, int out);

#endif
