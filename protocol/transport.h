#ifndef PORTAL_TRANSPORT_H
#define PORTAL_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/*
 * Byte streams between an agent, which listens, and a bridge, which connects. Everything is
 * non-blocking, never raises SIGPIPE, and fits any event loop: a descriptor, the poll(2) events it
 * waits for, and calls for when they come. See portal-protocol(7), TRANSPORTS.
 */

enum portal_transport_kind {
	PORTAL_TRANSPORT_UNIX, /* unix:PATH */
	PORTAL_TRANSPORT_VSOCK, /* vsock:CID:PORT, CID a number, any, local or host */
	PORTAL_TRANSPORT_VSOCK_UNIX, /* vsock-unix:PATH:PORT */
	PORTAL_TRANSPORT_VIRTIO_SERIAL, /* virtio-serial:PATH, a port device or its host socket */
};

struct portal_transport_address {
	enum portal_transport_kind kind;
	char path[108]; /* fits sockaddr_un; empty for vsock: */
	uint32_t cid, port;
};

/*
 * Parse "KIND:…". Returns 0, or −1 with errno EINVAL and, when error is not NULL, *error pointing
 * to a constant sentence that says what is wrong.
 */
int portal_transport_parse(
	struct portal_transport_address *address, const char *text, const char **error);

/* Whether both ends must prove the VM's key: on every transport but unix:. */
bool portal_transport_needs_key(const struct portal_transport_address *address);

struct portal_transport;

/* What a kind of stream implements; see transport-impl.h. */
struct portal_transport_impl;

/*
 * Begin to connect. Never blocks: a refusal may only show at the first read. NULL with errno when
 * it fails at once (ENOENT, ECONNREFUSED, EAGAIN for a full unix backlog …).
 */
struct portal_transport *portal_transport_connect(const struct portal_transport_address *address);

/*
 * A stream over a connected, non-blocking stream socket, which it then owns (also on failure).
 * For socketpair(2), tests, and sockets passed in by systemd.
 */
struct portal_transport *portal_transport_from_socket(
	int fd, const struct portal_transport_address *address);

/* Close the descriptor and free; NULL is fine. */
void portal_transport_destroy(struct portal_transport *transport);

int portal_transport_get_fd(const struct portal_transport *transport);

/*
 * poll(2) events to wait for: `wanted` (POLLIN, POLLOUT) as the transport's own state needs it,
 * such as POLLOUT while a connect is under way.
 */
short portal_transport_get_events(struct portal_transport *transport, short wanted);

/*
 * Read what is there. Returns bytes, 0 at the end of the stream, −1 with errno (EAGAIN: nothing
 * yet; anything else ends the stream). A descriptor that came along (unix: only) is stored in *fd,
 * close-on-exec, and is the caller's; any further ones are closed. *fd is −1 when none came.
 */
ssize_t portal_transport_read(struct portal_transport *transport, void *data, size_t size, int *fd);

/*
 * Write what fits. Returns bytes, or −1 with errno (EAGAIN: wait for POLLOUT). With fd not −1, that
 * descriptor, still the caller's, travels with the first byte; ENOTSUP where the transport cannot.
 */
ssize_t portal_transport_write(
	struct portal_transport *transport, const void *data, size_t size, int fd);

/* For logs: "unix:/run/user/1000/portal/firefox". Lives as long as the transport. */
const char *portal_transport_get_name(const struct portal_transport *transport);

struct portal_transport_listener;

/*
 * Listen. For unix: a stale socket file nobody listens on is replaced, a live one is EADDRINUSE;
 * the file has mode 0600. For vsock-unix: this is the host's end for connections that come from the
 * guest (PATH_PORT). NULL with errno on failure.
 */
struct portal_transport_listener *portal_transport_listen(
	const struct portal_transport_address *address);

/* Takes over a listening socket, as systemd passes one. NULL with errno; fd is closed then. */
struct portal_transport_listener *portal_transport_listener_from_socket(
	int fd, const struct portal_transport_address *address);

/* Close and free, remove a unix: socket file that portal_transport_listen() made. NULL is fine. */
void portal_transport_listener_destroy(struct portal_transport_listener *listener);

/* Becomes readable (POLLIN) when accept may return a stream. */
int portal_transport_listener_get_fd(const struct portal_transport_listener *listener);

/*
 * Open nothing from now on, for a process that is about to give that up: a virtio-serial port that
 * is lost stays lost.
 */
void portal_transport_listener_seal(struct portal_transport_listener *listener);

/*
 * The next stream, or NULL with errno, EAGAIN when there is none. A virtio-serial port has exactly
 * one stream at a time: it is returned by the first call, and again by the first call after that
 * stream was destroyed (the listener's descriptor is readable then). An error other than EAGAIN is
 * final: the port is gone, and with EPIPE it was its other end that closed it (of a sealed
 * listener).
 */
struct portal_transport *portal_transport_accept(struct portal_transport_listener *listener);

#endif
