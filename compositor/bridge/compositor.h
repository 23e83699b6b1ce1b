#ifndef BRIDGE_COMPOSITOR_H
#define BRIDGE_COMPOSITOR_H

struct bridge_log;

/*
 * The way to the compositor. Each of the guest's applications gets a connection, through a security
 * context where the compositor has them (wp_security_context_v1): then the compositor knows which
 * VM they come from, and withholds what no guest should have. The connection that makes the context
 * is nobody's but the user's, so it has ended when the guest is heard.
 */
struct bridge_compositor {
	int socket_fd; /* the socket's file, O_PATH: reachable when its name is gone */
	int close_fd; /* the context lasts until this end of a pipe is closed; -1 without one */
	/*
	 * A connection like the guest's, over which nothing is ever said: it ends when the
	 * compositor goes. That is the first to end then, since compositors end connections in the
	 * order in which they were made; the context's pipe would be one of the last.
	 */
	int watch_fd;
};

/* Connects to WAYLAND_DISPLAY; vm becomes the context's instance id. -1 after logging why not. */
int bridge_compositor_init(
	struct bridge_compositor *compositor, const char *vm, const struct bridge_log *log);

void bridge_compositor_finish(struct bridge_compositor *compositor);

/*
 * After a fork: the confined process has what tells when the compositor goes, the other one what
 * further connections are made with.
 */
void bridge_compositor_keep_watch(struct bridge_compositor *compositor);
void bridge_compositor_keep_socket(struct bridge_compositor *compositor);

#endif
