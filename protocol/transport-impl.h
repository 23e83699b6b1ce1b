#ifndef PORTAL_TRANSPORT_IMPL_H
#define PORTAL_TRANSPORT_IMPL_H

#include "transport.h"

/* Inside protocol/ only: what a kind of stream implements. */

struct portal_transport_impl {
	ssize_t (*read)(struct portal_transport *transport, void *data, size_t size, int *fd);
	ssize_t (*write)(struct portal_transport *transport, const void *data, size_t size, int fd);
	short (*events)(struct portal_transport *transport, short wanted);
	/* bytes that were read and not used; persistent streams hand them to the next user */
	void (*unread)(struct portal_transport *transport, const void *data, size_t size);
	/* ask for another POLLIN although no byte came; persistent streams only */
	void (*rearm)(struct portal_transport *transport);
	void (*destroy)(struct portal_transport *transport);
};

struct portal_transport {
	const struct portal_transport_impl *impl;
	struct portal_transport_address address;
	int fd; /* to poll */
	bool can_pass_fd;
	/* A stream that outlives its users (virtio-serial): bytes of earlier sessions can come
	 * first, and the channel marks where a new session begins. A port device in a guest is
	 * edge-triggered behind the descriptor to poll: read until EAGAIN. */
	bool persistent;
	bool announce; /* persistent, listening: nobody knows yet that this end is new */
	bool unheard; /* persistent: it ended in the middle of a greeting */
	char name[160];
};

void portal_transport_init(struct portal_transport *transport,
	const struct portal_transport_impl *impl, const struct portal_transport_address *address,
	int fd);

void portal_transport_unread(struct portal_transport *transport, const void *data, size_t size);
void portal_transport_rearm(struct portal_transport *transport);

/* transport_socket.c */
struct portal_transport *portal_transport_socket_connect(
	const struct portal_transport_address *address);
int portal_transport_socket_listen(const struct portal_transport_address *address);

/* transport_serial.c: a port that one stream after the other uses */
struct portal_serial_port;
struct portal_transport *portal_transport_serial_connect(
	const struct portal_transport_address *address);
struct portal_serial_port *portal_serial_port_create(
	const struct portal_transport_address *address);
void portal_serial_port_destroy(struct portal_serial_port *port);
int portal_serial_port_get_accept_fd(const struct portal_serial_port *port);
void portal_serial_port_seal(struct portal_serial_port *port);
struct portal_transport *portal_serial_port_accept(struct portal_serial_port *port);

#endif
