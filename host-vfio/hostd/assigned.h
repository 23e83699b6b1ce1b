#ifndef HOST_HOSTD_ASSIGNED_H
#define HOST_HOSTD_ASSIGNED_H

#include "base/error.h"
#include "base/strings.h"

/* The devices that were given away by policy, and so are returned by policy: a file, so that a
 * daemon that was killed knows them when it comes again. An entry is written before its device is
 * moved; whether it was moved, the journal and the device's driver say. */

/* Addresses; an absent file has none. -1 with the reason. */
int assigned_load(struct strings *assigned, const char *path, struct error *error);
/* Adds or takes out, and writes the file where that changes anything. -1 with the reason. */
int assigned_change(struct strings *assigned, const char *path, const struct strings *names,
	bool add, struct error *error);

#endif
