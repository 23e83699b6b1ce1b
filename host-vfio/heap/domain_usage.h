#ifndef HOST_HEAP_DOMAIN_USAGE_H
#define HOST_HEAP_DOMAIN_USAGE_H

#include <stdbool.h>

#include "domain/manager.h"
#include "memory/usage.h"

/* What libvirt's domains take of the host's memory. */

/* Reads a definition, or a running domain's description. The balloon is not deducted: a guest gets
 * it back without asking anybody. `allocated` (may be NULL): is all of its own memory there before
 * it starts, or only promised, until the guest uses it? It is there where QEMU fills it at once
 * (<allocation mode='immediate'/>, huge pages), locks it, or VFIO does so for a PCI function. 0, or
 * -1 with the reason and nothing to finish. */
int domain_usage_read(
	struct memory_usage *usage, bool *allocated, const char *xml, struct error *error);

struct domain_usage {
	char *name;
	bool runs; /* or is paused, or shuts down: it has its memory */
	bool allocated; /* domain_usage_read() */
	struct memory_usage usage;
};

/* All domains of a libvirt. 0, or an enum domain_failure with the reason; domain_usages_finish()
 * either way. */
int domain_usages_read(struct domain_manager *manager, struct domain_usage **usages, size_t *count,
	struct error *error);
void domain_usages_finish(struct domain_usage *usages, size_t count);

#endif
