#ifndef HOST_INVENTORY_LOGINS_H
#define HOST_INVENTORY_LOGINS_H

#include <ifaddrs.h>

#include "tree/tree.h"

/* Who is logged in over the network: established TCP connections to a port that is listened on, of
 * processes that let people in (sshd, remote desktops, libvirt). One a line:
 *
 *	PROCESS PID INTERFACE PEER
 *
 * INTERFACE is the one whose address they use, of `addresses` (getifaddrs(3)); PEER the other
 * side's address. What comes from this machine itself is left out, and what other users' processes
 * have open, without the right to see that. The caller's, never NULL. */
char *logins_text(struct tree *tree, const struct ifaddrs *addresses);

#endif
