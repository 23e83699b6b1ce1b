#ifndef HOST_SETUP_GENERATE_H
#define HOST_SETUP_GENERATE_H

#include "inventory/machine.h"
#include "setup/changes.h"

/* The lasting set-up of a host: which files of /etc and of the boot loader make it. */

struct setup_options {
	/* Devices that are to belong to vfio-pci from the start. */
	const struct pci_device **devices;
	size_t devices_count;
	bool intel; /* the kernel uses Intel's IOMMU only when it is told to; AMD's by itself */
	/* Only when started from an entry of its own in the boot menu (systemd-boot). */
	bool own_entry;
	unsigned hugepages; /* of 2 MiB; 0: leave alone */
	bool zram;
};

/* Adds the changes for the system below `root`: Debian's, Fedora's or Arch's layout, told apart by
 * what makes the initramfs and what boots. `commands` are what the person has to run afterwards. -1
 * with the reason when the system's ways are not known. */
int setup_generate(struct changes *changes, struct strings *commands, const char *root,
	const struct setup_options *options, struct error *error);

#endif
