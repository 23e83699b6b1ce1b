#ifndef BRIDGE_COMPOSITOR_H
#define BRIDGE_COMPOSITOR_H

#include <stdbool.h>

struct wl_display;
struct bridge_log;

/*
 * The way to the compositor. One connection of the bridge's own stays open from the start, to know
 * when the compositor goes; each of the guest's applications gets one more, through a security
 * context where the compositor has them (wp_security_context_v1): then the compositor knows which
 * VM they come from, and withholds what no guest should have.
 */
struct bridge_compositor {
	struct wl_display *display;
	int socket_fd; /* the socket's file, O_PATH: reachable when its name is gone or forbidden */
	int close_fd; /* the context lasts until this end of a pipe is closed; -1 without one */
};

/* Connects to WAYLAND_DISPLAY; vm becomes the context's instance id. -1 after logging why not. */
int bridge_compositor_init(
	struct bridge_compositor *compositor, const char *vm, const struct bridge_log *log);

void bridge_compositor_finish(struct bridge_compositor *compositor);

static inline bool bridge_compositor_has_context(const struct bridge_compositor *compositor) {
	return compositor->close_fd >= 0;
}

/* A new connection, non-blocking and close-on-exec. -1 with errno. Works inside the sandbox. */
int bridge_compositor_connect(const struct bridge_compositor *compositor);

/* The bridge's own connection is readable. -1 when the compositor has gone. */
int bridge_compositor_dispatch(struct bridge_compositor *compositor);

#endif
