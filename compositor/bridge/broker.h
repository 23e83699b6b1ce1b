#ifndef BRIDGE_BROKER_H
#define BRIDGE_BROKER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What the confined process asks of the one that started it, which reads nothing of the guest:
 * another connection to the compositor, and to tell systemd that the guest is there (sd_notify(3)).
 * By itself it would need the calls that make and connect sockets, and a filter cannot see which of
 * the user's sockets a call is about.
 *
 * A request is a packet of one byte, an answer one of an errno; or of 0 with the connection, and
 * another one of 0 when nobody else has the connection any more. Whoever breaks that, or leaves its
 * answers unread, is heard no more. The rate is twice what the quota grants a guest (200 a second,
 * 100 at once), so that only a process that does not keep the quota waits for it.
 */
struct bridge_broker {
	int fd; /* requests come here; -1 when none are heard any more */
	int socket_fd; /* of the file of the compositor's socket (O_PATH); the caller's */
	uint64_t due; /* CLOCK_MONOTONIC, ns: when all requests so far are paid for */
};

/* inner_fd receives the confined process's end. -1 with errno. */
int bridge_broker_init(struct bridge_broker *broker, int socket_fd, int *inner_fd);
void bridge_broker_finish(struct bridge_broker *broker);

/* How long, in ns, the next request is not to be read yet. */
uint64_t bridge_broker_get_pause(const struct bridge_broker *broker, uint64_t now);

/* Serves one request, if one is there; never blocks. False when none will be heard any more and the
 * other process is not just gone. */
bool bridge_broker_dispatch(struct bridge_broker *broker, uint64_t now);

/* The same for the process itself: a connection to the socket of that file, or -1 with errno. */
int bridge_broker_connect_socket(int socket_fd);

/* In the confined process: a new connection, non-blocking and close-on-exec, or -1 with errno.
 * Waits for the answer. */
int bridge_broker_connect(int inner_fd);

/* The guest is there. */
void bridge_broker_ready(int inner_fd);

#endif
