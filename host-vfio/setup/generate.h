#ifndef HOST_SETUP_GENERATE_H
#define HOST_SETUP_GENERATE_H

#include "inventory/evdev.h"
#include "inventory/machine.h"
#include "setup/changes.h"

/* The lasting set-up of a host: which files of /etc and of the boot loader make it. */

struct setup_options {
	/* Devices that are to belong to vfio-pci from the start. */
	const struct pci_device **devices;
	size_t devices_count;
	bool intel; /* the kernel uses Intel's IOMMU only when it is told to; AMD's by itself */
	bool own_entry; /* only when started from an entry of its own in the boot menu */
	unsigned hugepages; /* of 2 MiB; 0: leave alone */
	unsigned hugepages_1g; /* of 1 GiB; 0: leave alone */
	bool zram;
	/* Keyboards and mice that host and VM are to share. */
	const struct evdev **inputs;
	size_t inputs_count;
	const char *audio_user; /* in whose session guests are heard; NULL: leave alone */
};

struct setup_plan {
	struct changes changes;
	struct strings commands; /* to be run after those of the changes, as root */
	struct strings notes; /* what the person is to know, a paragraph each */
};

/* Makes the plan for the system below `root`: Debian's, Fedora's or Arch's layout, told apart by
 * what makes the initramfs and what boots. -1 with the reason when the system's ways are not
 * known. */
int setup_generate(struct setup_plan *plan, const char *root, const struct setup_options *options,
	struct error *error);
void setup_plan_finish(struct setup_plan *plan);

#endif
