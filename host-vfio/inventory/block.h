#ifndef HOST_INVENTORY_BLOCK_H
#define HOST_INVENTORY_BLOCK_H

#include "inventory/machine.h"

/* Calls for every PCI device that a block device, by its sysfs path, stands on: its own, or those
 * below partitions, LVM, encryption, RAID and NVMe multipath. */
void block_each_controller(struct machine *machine, struct tree *tree, const char *path,
	void (*call)(struct pci_device *device, void *data), void *data);

#endif
