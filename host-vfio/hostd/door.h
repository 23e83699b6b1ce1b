#ifndef HOST_HOSTD_DOOR_H
#define HOST_HOSTD_DOOR_H

#include "hostd/daemon.h"

/* The doors: for each controller that has one, and runs, a portal-door with a connection on which
 * org.portal.Door is answered in that controller's name alone. */

int doors_init(struct daemon *daemon, struct error *error);
void doors_finish(struct daemon *daemon);
/* Starts and ends them as policy and domains are now. */
void doors_update(struct daemon *daemon);

#endif
