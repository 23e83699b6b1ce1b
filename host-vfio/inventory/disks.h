#ifndef HOST_INVENTORY_DISKS_H
#define HOST_INVENTORY_DISKS_H

#include "inventory/machine.h"

/* Adds the holders that are file systems and swap on disks behind a device, through partitions,
 * LVM, encryption and RAID. */
void disks_read(struct machine *machine, struct tree *tree);

#endif
