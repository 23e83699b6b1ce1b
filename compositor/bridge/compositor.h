#ifndef BRIDGE_COMPOSITOR_H
#define BRIDGE_COMPOSITOR_H

#include <stdbool.h>
#include <stdint.h>

struct wl_display;
struct bridge_log;

/*
 * The way to the compositor. Each of the guest's applications gets a connection, through a security
 * context where the compositor has them (wp_security_context_v1): then the compositor knows which
 * VM they come from, and withholds what no guest should have. The connection that makes the context
 * is nobody's but the user's, so it has ended when the guest is heard. That the compositor goes is
 * seen by the context's pipe, of which it holds the other end.
 */
struct bridge_compositor {
	struct wl_display *display; /* NULL with a context; else to know when the compositor goes */
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

/* The descriptor that tells when the compositor goes, and the epoll(7) events to wait for. */
int bridge_compositor_get_fd(const struct bridge_compositor *compositor);
uint32_t bridge_compositor_get_events(const struct bridge_compositor *compositor);

/* It has an event. -1 when the compositor has gone. */
int bridge_compositor_dispatch(struct bridge_compositor *compositor);

#endif
