#ifndef HOST_HOSTD_ASSIGNED_H
#define HOST_HOSTD_ASSIGNED_H

#include "base/error.h"
#include "base/strings.h"

/* The devices that were given away by policy, and so are returned by policy: a file, so that a
 * daemon that was killed knows them when it comes again. An entry is written before its device is
 * moved; whether it was moved, the journal and the device's driver say. Which VM it was given to is
 * added when that is done: what was only moved, the next daemon gives. The journals say whether an
 * entry is of this boot, and of the card that is there. */

struct assigned {
	struct strings devices; /* addresses */
	struct strings vms; /* for each of them; "": none yet */
};

/* An absent file has none. -1 with the reason. */
int assigned_load(struct assigned *assigned, const char *path, struct error *error);
void assigned_finish(struct assigned *assigned);
/* The VM that the device was given to, or NULL. */
const char *assigned_vm(const struct assigned *assigned, const char *device);

/* These write the file where they change anything. -1 with the reason. */

int assigned_add(struct assigned *assigned, const char *path, const struct strings *devices,
	struct error *error);
int assigned_remove(struct assigned *assigned, const char *path, const struct strings *devices,
	struct error *error);
/* `vms` are one for each device, "" for none. */
int assigned_give(struct assigned *assigned, const char *path, const struct strings *vms,
	struct error *error);

#endif
