#ifndef HOST_DOMAIN_EVDEV_H
#define HOST_DOMAIN_EVDEV_H

#include <libxml/tree.h>
#include <stdbool.h>

#include "domain/hostdev.h"

/* Input devices of the host that a guest shares with it: both left and right control pressed (or
 * another toggle) hands them over and back. */

struct domain_evdev {
	const char *path; /* /dev/input/by-id/… */
	/* A keyboard takes all of the guest's shared devices with it when its toggle is pressed. */
	enum domain_switch grab_all;
	enum domain_switch repeat; /* of held keys */
	const char *toggle; /* libvirt's word, "ctrl-ctrl"; NULL: as it is; "": the default */
};

/* Is it a word for a toggle? */
bool evdev_is_toggle(const char *word);
/* Puts a device in or changes the one of that path. */
void evdev_add(xmlNode *root, const struct domain_evdev *evdev);
/* One that is not there is fine. */
void evdev_remove(xmlNode *root, const char *path);

#endif
