#ifndef HOST_IDENTITY_IDENTITY_H
#define HOST_IDENTITY_IDENTITY_H

#include <stdbool.h>

#include "inventory/machine.h"

/* What makes a device the same one after a reboot, in which bus numbers may be given out anew: the
 * way to it by the slots of the bridges, and what it says it is. */
struct identity {
	char *path; /* "pci0000:00/01.0/00.0": root, then slot.function of every bridge, then its
		       own */
	uint16_t vendor, device, subsystem_vendor, subsystem_device;
	uint32_t class_code;
};

void identity_init(struct identity *identity, const struct pci_device *device);
void identity_finish(struct identity *identity);
/* Is this the kind of card that was meant, wherever it is? */
bool identity_same_card(const struct identity *identity, const struct pci_device *device);
/* The bridge path of a device; the caller's. */
char *identity_path(const struct pci_device *device);

#endif
