#ifndef HOST_INVENTORY_NAMES_H
#define HOST_INVENTORY_NAMES_H

#include "inventory/machine.h"

/* The names of the PCI ID database (pci.ids) through libpci. Never looked up on the network. */
struct names;

struct names *names_create(void);
void names_destroy(struct names *names);

/* All return a string of the caller's; what the database does not know is given in numbers. */

/* "NVIDIA Corporation GA107M [GeForce RTX 3050 Ti Mobile]" */
char *names_device(struct names *names, const struct pci_device *device);
/* The same without the maker: "GA107M [GeForce RTX 3050 Ti Mobile]" */
char *names_model(struct names *names, const struct pci_device *device);
/* "ASUSTeK Computer Inc. Device 16f2", or NULL when the device has no subsystem ids. */
char *names_subsystem(struct names *names, const struct pci_device *device);
/* "VGA compatible controller" */
char *names_class(struct names *names, const struct pci_device *device);

#endif
