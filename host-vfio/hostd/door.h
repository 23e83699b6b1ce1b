#ifndef HOST_HOSTD_DOOR_H
#define HOST_HOSTD_DOOR_H

#include "hostd/daemon.h"

/* The doors: for each controller that has one, and runs, a portal-door with a connection on which
 * org.portal.Door is answered in that controller's name alone. */

int doors_init(struct daemon *daemon, struct error *error);
void doors_finish(struct daemon *daemon);
/* Starts and ends them as policy and domains are now. */
void doors_update(struct daemon *daemon);

/* Answers a controller's door at `fd`, the daemon's from now on. -1 with errno. */
int doors_add_connection(struct daemon *daemon, const char *controller, int fd);

#endif
