#ifndef HOST_INVENTORY_EVDEV_H
#define HOST_INVENTORY_EVDEV_H

#include "inventory/machine.h"

/* Keyboards and mice as QEMU can share them between host and VM: one event device each. */

struct evdev {
	char *node; /* "/dev/input/event5": another one after each boot */
	/* A path that leads to the same device after a boot, by its identity ("by-id") or else by
	 * where it is plugged in ("by-path"); NULL where udev has none, as for Bluetooth. */
	char *stable;
	char *name; /* what the device calls itself */
	bool keyboard; /* else a mouse, touchpad or tablet */
	unsigned bus, vendor, product;
	const struct pci_device *controller; /* NULL: not behind a PCI function */
};

struct evdevs {
	struct evdev *items;
	size_t count;
};

/* `machine` has to outlive it. */
void evdevs_read(struct evdevs *evdevs, const struct machine *machine, struct tree *tree);
void evdevs_finish(struct evdevs *evdevs);
/* By any of its paths; NULL with the reason. */
const struct evdev *evdevs_find(const struct evdevs *evdevs, const char *path, struct error *error);

#endif
