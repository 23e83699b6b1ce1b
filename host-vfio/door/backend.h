#ifndef HOST_DOOR_BACKEND_H
#define HOST_DOOR_BACKEND_H

#include "door/door.h"

/*
 * Answers a door's calls by asking portal-hostd over a varlink connection that stands for one
 * controller: what that one may is decided there. Calls are answered in their order.
 */

struct backend;

/* `fd` is a connected socket, the backend's from now on, also on failure. `lost` is called when it
 * ends, after all that was open has been answered. NULL with errno. */
struct backend *backend_create(sd_event *loop, int fd, void (*lost)(void *data), void *data);
void backend_destroy(struct backend *backend);

/* Takes a door's request over. */
void backend_call(struct backend *backend, struct door_request *request);

#endif
