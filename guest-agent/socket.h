/* The socket that applications find as WAYLAND_DISPLAY. */
#ifndef GUEST_AGENT_SOCKET_H
#define GUEST_AGENT_SOCKET_H

#include <stdbool.h>

/*
 * Bound and listening from the begin, so that applications can be started early; they wait in its
 * backlog until it is given to a display.
 */
struct agent_socket {
	char name[32]; // such as wayland-1
	char path[108], lock_path[120];
	int fd; // −1 once it is a display's
	int lock_fd;
};

/** Takes the first free name in XDG_RUNTIME_DIR. −1 with errno (ENOENT: no such directory). */
int agent_socket_init(struct agent_socket *socket);
/** Removes it. */
void agent_socket_finish(struct agent_socket *socket);

#endif
