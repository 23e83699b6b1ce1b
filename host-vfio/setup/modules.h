#ifndef HOST_SETUP_MODULES_H
#define HOST_SETUP_MODULES_H

#include "base/strings.h"
#include "inventory/machine.h"

/*
 * Adds the modules that may drive a device: its driver now, unless that is VFIO's, and what the
 * kernels below `root` ("" for this system) have an alias of the device for (modules.alias,
 * depmod(8)). With underscores, as the kernel has them, and each once.
 */
void modules_find(struct strings *modules, const char *root, const struct pci_device *device);

/* The same for one that is known by name. */
void modules_add(struct strings *modules, const char *name);

#endif
