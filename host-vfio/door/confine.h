#ifndef HOST_DOOR_CONFINE_H
#define HOST_DOOR_CONFINE_H

#include "base/error.h"

/*
 * Gives up, for good, everything but the descriptors that are open: the root user for `user` (NULL:
 * this one stays), the file system, programs, new sockets, tracing. What this kernel does not have
 * is left out and `missing` names it, else it is NULL. -1 with the reason when something that
 * should work did not.
 */
int confine(const char *user, const char **missing, struct error *error);

#endif
