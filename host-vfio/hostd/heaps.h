#ifndef HOST_HOSTD_HEAPS_H
#define HOST_HOSTD_HEAPS_H

#include "hostd/daemon.h"

/* Guests' heaps in running controllers (domain/heap_follower.h): for each controller that runs and
 * has guests in the policy, a process that brings their heaps and takes them out, as the guests
 * start and stop. A controller that was started without ports for heaps is left alone. */

/* Starts and ends them as policy and domains are now. */
void heaps_update(struct daemon *daemon);
/* Ends all; those that are still wanted begin anew with the next heaps_update(). */
void heaps_finish(struct daemon *daemon);

#endif
