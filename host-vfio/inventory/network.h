#ifndef HOST_INVENTORY_NETWORK_H
#define HOST_INVENTORY_NETWORK_H

#include "inventory/machine.h"

/* Adds the holders that are default routes, networks that are reached and logins over the network,
 * through bridges, bonds and VLANs; and tells Wi-Fi from other network cards by their interfaces.
 */
void network_read(struct machine *machine, struct tree *tree);

#endif
