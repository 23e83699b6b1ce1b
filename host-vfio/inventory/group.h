#ifndef HOST_INVENTORY_GROUP_H
#define HOST_INVENTORY_GROUP_H

#include "inventory/machine.h"

/* IOMMU groups: the devices that the hardware cannot keep apart, so that they change hands together
 * or not at all. */

/* Is it vfio-pci, or one of its variants for a certain device? */
bool group_driver_is_vfio(const char *driver);

/* May a member with this driver be in a group that a VM uses? True without a driver, and for
 * drivers that leave DMA to user space (the kernel's driver_managed_dma: VFIO's, pci-stub,
 * pcieport). */
bool group_driver_is_harmless(const char *driver);

/* Are they one device, or two of one group? */
bool group_is_same(const struct pci_device *a, const struct pci_device *b);

/* Could VFIO use the group right now? When not, `blocker` is the first member in the way. */
bool group_is_viable(const struct machine *machine, int group, const struct pci_device **blocker);

/* How many functions of a group could be given away at all: everything but bridges. */
size_t group_endpoints(const struct machine *machine, int group);

#endif
