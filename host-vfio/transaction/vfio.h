#ifndef HOST_TRANSACTION_VFIO_H
#define HOST_TRANSACTION_VFIO_H

#include <stdbool.h>
#include <stdint.h>

/* Opens a device as a VM would (Documentation/driver-api/vfio.rst), upon which the kernel resets
 * it, reads its ids from its configuration space, and closes it, upon which it is reset again. All
 * of its IOMMU group has to be free for that. 0 or an errno; ENODEV: the ids are others. */
int vfio_open(const char *address, int group, uint16_t vendor, uint16_t device, void *user);

#endif
