#ifndef HOST_HOSTD_DEFINITION_H
#define HOST_HOSTD_DEFINITION_H

#include "policy/decide.h"

/* What is wrong with the devices of the host that a VM is defined with, on the machine as it is
 * now. libvirt would only say so when all others had been taken for the VM. `devices` are
 * addresses. */

/* An address that its card has left, or that nothing is at: what to do; the caller's, NULL when
 * there is none. */
char *definition_find_moved(const struct known *known, const struct machine *machine,
	const char *domain, const struct strings *devices);
/* One that the policy does not give to the VM: why not; the same. */
char *definition_find_stray(
	const struct decisions *decisions, const char *vm, const struct strings *devices);

#endif
