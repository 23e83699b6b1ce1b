#ifndef HOST_INVENTORY_NETWORK_H
#define HOST_INVENTORY_NETWORK_H

#include "inventory/machine.h"

/* Adds the holders that are the interfaces that carry the default route, through bridges, bonds and
 * VLANs; and tells Wi-Fi from other network cards by their interfaces. */
void network_read(struct machine *machine, struct tree *tree);

#endif
