#ifndef TESTS_HOSTD_WORLD_IMPL_H
#define TESTS_HOSTD_WORLD_IMPL_H

#include "hostd_world.h"

/* The parts of hostd_world.h among themselves. */

/* An index of `world_vms`; fails the test when there is no such VM. */
int world_vm(const char *name);
/* An index of the machine's devices, whether it is plugged in or not. */
size_t world_device(const struct world *world, const char *address);
/* Are they two of one IOMMU group? */
bool world_shares_group(const struct pci_device *one, const struct pci_device *other);
void world_bind_at(struct world *world, size_t device, const char *driver);
/* Opens and closes what the VM has; `vm`, of `world_vms`, NULL: nobody. */
void world_hold(struct world *world, size_t device, const char *vm);

#endif
