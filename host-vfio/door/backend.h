#ifndef HOST_DOOR_BACKEND_H
#define HOST_DOOR_BACKEND_H

#include "door/door.h"

/*
 * Answers a door's calls by asking portal-hostd over varlink connections that stand for one
 * controller: what that one may is decided there. A connection has one call at a time, so that
 * there are more than one: who gave up waiting for a guest's end holds up nobody else.
 */

#define BACKEND_CONNECTIONS_MAX 8

struct backend;

/* `count` connected sockets, from descriptor `first` on, the backend's from now on, also on
 * failure. `lost` is called when one ends, after all that was open has been answered. NULL with
 * errno. */
struct backend *backend_create(
	sd_event *loop, int first, unsigned count, void (*lost)(void *data), void *data);
void backend_destroy(struct backend *backend);

/* Takes a door's request over. */
void backend_call(struct backend *backend, struct door_request *request);

/* Nobody waits for its answer: portal-hostd is not asked any more if it has not been. */
void backend_forget(struct backend *backend, struct door_request *request);

#endif
