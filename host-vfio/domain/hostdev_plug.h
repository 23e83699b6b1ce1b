#ifndef HOST_DOMAIN_HOSTDEV_PLUG_H
#define HOST_DOMAIN_HOSTDEV_PLUG_H

#include "domain/guest_pci.h"
#include "domain/manager.h"

/* In a running domain's description: the bus of an empty root port that a device can be plugged
 * into, not one that was prepared for a heap; 0 where the machine has no PCI Express and libvirt
 * finds a slot. -1 with the reason. */
int hostdev_plug_find_port(xmlNode *root, struct error *error);

/*
 * Gives one of the host's PCI functions, which VFIO has already, to a running domain. Only the
 * running machine changes, never its definition. Each function gets a root port of its own. 0, also
 * where the domain has it already; or an enum domain_failure with the reason.
 */
int hostdev_plug_attach(struct domain_manager *manager, const char *name,
	const struct domain_address *host, struct error *error);

#endif
