#ifndef PORTAL_RELAY_H
#define PORTAL_RELAY_H

/*
 * Moves one Wayland connection between a socket and a channel: whole messages, each checked by
 * wire.h, with frames of kind HEAP and BLOB in the place of descriptors. In the guest the socket's
 * other end is a Wayland client (the agent's own), on the controller it is the compositor. Never
 * blocks; allocates nothing in the steady state.
 *
 * A connection lives from CONNECT, which the guest's end sends, until both ends have sent
 * DISCONNECT, each once: until then its id is taken, and what still comes for it is thrown away.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct portal_channel;
struct portal_heap;
struct portal_quota;
struct portal_relay;
struct portal_wire_info;

/* Why a connection ended. */
enum portal_relay_end {
	PORTAL_RELAY_SOCKET_CLOSED, /* by its other end, or portal_relay_end() was called */
	PORTAL_RELAY_DISCONNECTED, /* the channel's other end sent DISCONNECT */
	PORTAL_RELAY_SOCKET_VIOLATION, /* a message from the socket broke a rule */
	PORTAL_RELAY_CHANNEL_VIOLATION, /* what came through the channel did: end the channel */
	PORTAL_RELAY_QUOTA, /* the guest may not have more: this connection only */
	PORTAL_RELAY_OVERFLOW, /* the channel's other end does not read its events */
	PORTAL_RELAY_FAILURE, /* out of memory or descriptors */
};

/*
 * ended and released are called last in a call of the relay, and may destroy it; the others may
 * not, and may be NULL.
 */
struct portal_relay_handlers {
	/* The socket is closed, nothing more will pass. text is one line for a log, never NULL. */
	void (*ended)(void *data, enum portal_relay_end end, const char *text);
	/* Follows ended: both ends know, the id is free. Destroy the relay here or later. */
	void (*released)(void *data);
	/* portal_relay_get_events() answers differently than before. */
	void (*events)(void *data, short events);
	/*
	 * The socket's end does not keep up, or does again: pause the channel while any relay is
	 * congested (portal_channel_set_paused()).
	 */
	void (*congested)(void *data, bool congested);
	/*
	 * At the controller's end: a request has passed the checks and is written next, as it
	 * stands in message. Returns false when the connection cannot go on.
	 */
	bool (*request)(
		void *data, const struct portal_wire_info *info, const void *message, size_t size);
	/*
	 * The quota's rate is exceeded: pause the channel for so many nanoseconds, then call
	 * portal_relay_resume(). Without this handler there is no rate.
	 */
	void (*throttle)(void *data, uint64_t nanoseconds);
};

struct portal_relay_options {
	/*
	 * The guest's end: the socket's peer is a client, whose requests wait while the channel is
	 * full. Else the peer is the compositor, which is always read: its events wait in a bounded
	 * backlog, motion coalesced.
	 */
	bool guest;
	uint32_t connection; /* id in the channel */
	const char *name; /* for CONNECT, guest only: a program's name, "" for none */
	int fd; /* connected stream socket, taken over also on failure, made non-blocking */
	struct portal_channel *channel; /* ready; outlives the relay */
	const struct portal_heap *heap; /* outlives the relay; NULL: no shared memory */
	struct portal_quota *quota; /* shared by all relays of a guest; NULL: no limits */
	size_t backlog_max; /* bytes waiting for the channel; 0: PORTAL_RELAY_BACKLOG */
};

#define PORTAL_RELAY_BACKLOG (1u << 20)

/*
 * Makes a relay and, at the guest's end, queues its CONNECT. Returns NULL with errno: ENOMEM,
 * EDQUOT when the guest has its quota of connections, or fcntl's.
 */
struct portal_relay *portal_relay_create(const struct portal_relay_options *options,
	const struct portal_relay_handlers *handlers, void *data);

/* Closes the socket and frees, without telling the channel. NULL is fine; no handler is called. */
void portal_relay_destroy(struct portal_relay *relay);

/* The socket and the poll(2) events to wait for; -1 and 0 once ended. */
int portal_relay_get_fd(const struct portal_relay *relay);
short portal_relay_get_events(const struct portal_relay *relay);

/*
 * The socket is ready: pass poll's revents. Reads and queues frames on the channel; flush that once
 * a loop's turn. Does not read more than a buffer: call again as poll says.
 */
void portal_relay_dispatch(struct portal_relay *relay, short revents);

/*
 * The channel's handlers of the same names, for this connection's id. Messages are written to the
 * socket at once, as far as it takes them.
 */
void portal_relay_wayland(struct portal_relay *relay, const void *untrusted_messages, size_t size);
/*
 * After the pause that throttle asked for, before the channel goes on: passes on what that held
 * back of a frame, which may ask for the next pause.
 */
void portal_relay_resume(struct portal_relay *relay);
bool portal_relay_is_held(const struct portal_relay *relay);
void portal_relay_heap(struct portal_relay *relay);
void portal_relay_blob(struct portal_relay *relay, uint64_t untrusted_size,
	uint64_t untrusted_offset, const void *piece, size_t piece_size);
void portal_relay_disconnect(struct portal_relay *relay, const char *untrusted_reason);
void portal_relay_writable(struct portal_relay *relay);

/* Closes the socket and sends DISCONNECT with this reason; ended and released follow. */
void portal_relay_end(struct portal_relay *relay, const char *reason);

/* The connection's toplevel windows, shown or not; 0 once ended. */
unsigned int portal_relay_get_windows(const struct portal_relay *relay);

/* Since the begin, for GetState and tests. */
struct portal_relay_counters {
	uint64_t requests, events; /* messages let through */
	uint64_t coalesced; /* motions that took the place of an older one */
};
struct portal_relay_counters portal_relay_get_counters(const struct portal_relay *relay);

#endif
