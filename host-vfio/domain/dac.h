#ifndef HOST_DOMAIN_DAC_H
#define HOST_DOMAIN_DAC_H

#include <stdbool.h>
#include <sys/types.h>

#include "domain/manager.h"

/* The user that libvirt runs a domain's QEMU as: its security driver "dac". */
struct domain_dac {
	bool known; /* false: libvirt has no such driver (qemu:///session), QEMU is whoever calls */
	uid_t user;
	gid_t group;
};

/*
 * From a definition or a running domain's description, and libvirt's capabilities for a domain that
 * does not say it itself; NULL: there are none to ask, as in libvirt's hook, which gets the label
 * that libvirt chose. 0, or -1 with the reason.
 */
int domain_dac_read(
	struct domain_dac *dac, const char *xml, const char *capabilities, struct error *error);

/* The same for a domain's definition of this libvirt. 0, or an enum domain_failure. */
int domain_manager_get_dac(struct domain_manager *manager, const char *xml, struct domain_dac *dac,
	struct error *error);

#endif
