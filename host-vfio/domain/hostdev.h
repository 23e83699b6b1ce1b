#ifndef HOST_DOMAIN_HOSTDEV_H
#define HOST_DOMAIN_HOSTDEV_H

#include <libxml/tree.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strings.h"
#include "domain/guest_pci.h"

/* The host's PCI functions in a domain's definition. */

enum domain_switch {
	DOMAIN_SWITCH_UNSET, /* as it is */
	DOMAIN_SWITCH_ON,
	DOMAIN_SWITCH_OFF,
	DOMAIN_SWITCH_DEFAULT, /* as the hypervisor likes: nothing is said about it */
};

struct domain_hostdev {
	struct domain_address host;
	enum domain_switch rom_bar; /* is the expansion ROM shown to the guest? */
	const char *rom_file; /* an image instead of the card's own; NULL: as it is; "": none */
};

/*
 * Puts functions in, or changes those that are there, whoever put them in. managed='no': Portal
 * moves drivers itself. Functions of one slot of the host, those that were there already among
 * them, are functions of one slot of the guest, with the same numbers; one of them is function 0 in
 * any case. A slot that is new gets a root port of its own where the machine has PCI Express. -1
 * when there is no room, or a function is one of its disks.
 */
int hostdev_add(
	xmlNode *root, const struct domain_hostdev *hostdevs, size_t count, struct error *error);

/* Takes a function out; the rest of its slot stays a slot. One that is not there is fine. */
void hostdev_remove(xmlNode *root, const struct domain_address *host);

/* Calls `each` for every PCI function of the host in the definition, also for those that it has as
 * a network interface (type='hostdev') or below a disk (type='nvme'). */
void hostdev_each(
	xmlNode *root, void (*each)(void *data, const struct domain_address *host), void *data);
/* The same as a list of addresses ("0000:01:00.0"); the caller finishes it. */
struct strings hostdev_list(xmlNode *root);
/* The function's <hostdev>, or its <interface>; or NULL. */
xmlNode *hostdev_find(xmlNode *root, const struct domain_address *host);

#endif
