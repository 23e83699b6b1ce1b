#ifndef HOST_POLICY_GUARD_H
#define HOST_POLICY_GUARD_H

#include "inventory/machine.h"

/* The host survival guard: what a host cannot lose without its owner locked out, crashed or blind.
 */
enum guard_rule {
	GUARD_BOOT_DISK, /* a controller with the system's own file systems behind it */
	GUARD_ROUTE, /* the last network card that carries the default route, of any table */
	GUARD_LOGIN, /* the last one through which somebody is logged in now */
	GUARD_NETWORK, /* the last one through which any network is reached */
	GUARD_CONSOLE, /* the boot VGA with a console on it */
	GUARD_INPUT, /* the last USB controller with a keyboard or mouse, but to a controller VM */
};

struct guard_objection {
	enum guard_rule rule;
	const struct pci_device *device;
	char *text; /* why, as the end of "… stays with the host: " */
};

/* Objects to giving away the devices marked in `taken` (one flag for each of the machine's
 * devices). `lent` (the same, or NULL for none): those of them that a controller VM has while it
 * runs, and the person sits before it, and that return when it ends; whoever else has the last
 * keyboard then keeps it. Returns the number of objections, put into an array for guard_free().
 * Those of GUARD_NETWORK come behind the others of network cards, and go when one of those is
 * heeded. */
size_t guard_check(const struct machine *machine, const bool *taken, const bool *lent,
	struct guard_objection **objections);
void guard_free(struct guard_objection *objections, size_t count);
const char *guard_rule_name(enum guard_rule rule);

#endif
