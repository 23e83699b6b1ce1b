#ifndef PORTAL_TEST_RELAY_GLOBALS_H
#define PORTAL_TEST_RELAY_GLOBALS_H

#include <stdbool.h>

#include <wayland-client.h>

struct fixture;

/* What the client of a relay fixture has bound. */
struct globals {
	struct wl_compositor *compositor;
	struct wl_shm *shm;
	struct wl_seat *seat;
	int count, formats; /* globals and formats it was told of */
	bool privileged; /* others among them */
};

/* Starts both ends and a client, which binds what it is offered. */
void globals_start(struct globals *globals, struct fixture *fixture);

/* Told to the server; or, where the connection has ended, not. */
void globals_release(struct globals *globals);
void globals_destroy(struct globals *globals);

#endif
