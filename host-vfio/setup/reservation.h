#ifndef HOST_SETUP_RESERVATION_H
#define HOST_SETUP_RESERVATION_H

#include "identity/identity.h"

/* A device that belongs to vfio-pci from the start, as the set-up's udev rule names it: one that
 * lasts while buses are numbered anew. */
struct reservation {
	/* `path` is a pattern for the device's directory, seen from /sys. */
	struct identity identity;
	/* Of a set-up that was made when rules went by the address, which is `path` then; of its
	 * ids only vendor and device are known. */
	bool by_address;
};

#define RESERVATION_RULES "/etc/udev/rules.d/60-portal-vfio.rules"

/* Where a device is, for fnmatch(3) without flags and for a shell: "/devices/pci0000:00/…" with a
 * question mark for every digit that another start may change. Those are the bus numbers, except of
 * what is on a root bus, and the domain of a root below another device (Intel VMD), which its
 * driver makes up. As long as the path it stands for, it matches nothing deeper. The caller's. */
char *reservation_place(const struct pci_device *device);
/* The udev rule of a device, a line; with `condition` (a match and its comma) in front of what it
 * does. */
char *reservation_rule(const struct pci_device *device, const char *condition);
/* Reads such a line, also of the first set-ups. False for any other line, with nothing to finish.
 */
bool reservation_parse(struct reservation *reservation, const char *line);
void reservation_finish(struct reservation *reservation);

bool reservation_is_place(const struct reservation *reservation, const struct pci_device *device);
bool reservation_is_card(const struct reservation *reservation, const struct pci_device *device);

#endif
