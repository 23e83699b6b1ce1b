#ifndef HOST_DOMAIN_HOSTDEV_PLUG_H
#define HOST_DOMAIN_HOSTDEV_PLUG_H

#include "domain/guest_pci.h"
#include "domain/manager.h"

/*
 * Gives one of the host's PCI functions, which VFIO has already, to a running domain. Only the
 * running machine changes, never its definition; libvirt chooses the port. 0, or an enum
 * domain_failure with the reason: among them that the domain has it already.
 */
int hostdev_plug_attach(struct domain_manager *manager, const char *name,
	const struct domain_address *host, struct error *error);

#endif
