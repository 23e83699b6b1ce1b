#ifndef HOST_TRANSACTION_VFIO_H
#define HOST_TRANSACTION_VFIO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strings.h"

/* Opens a device as a VM would (Documentation/driver-api/vfio.rst), upon which the kernel resets
 * it, reads its ids from its configuration space, and closes it, upon which it is reset again. All
 * of its IOMMU group has to be free for that. 0 or an errno; ENODEV: the ids are others. */
int vfio_open(const char *address, int group, uint16_t vendor, uint16_t device, void *user);

/* Resets the bus or slot that a device is on (VFIO_DEVICE_PCI_HOT_RESET), which the kernel lets
 * whoever owns all that is on it do without any right over the bridge: each of these functions has
 * to be bound to vfio-pci, its group free, and its address one of `ours`. 0 or an errno; EBUSY with
 * the reason: others would be reset, too; ENOTTY: this bus cannot be reset, or what is on it does
 * not answer any more. Returns when the device answers again. */
int vfio_reset_bus(const char *address, int group, const struct strings *ours, struct error *reason,
	void *user);

#endif
