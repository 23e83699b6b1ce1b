#ifndef PORTAL_RELAY_IMPL_H
#define PORTAL_RELAY_IMPL_H

/* Shared by the files that make up relay.h. */

#include "motion.h"
#include "queue.h"
#include "relay.h"
#include "wire.h"

#define PORTAL_RELAY_MAX_FDS 28 /* of one sendmsg: libwayland's MAX_FDS_OUT */
#define PORTAL_RELAY_INPUT 32768 /* bytes read from the socket at once */

/* A descriptor that came through the channel, before the message that carries it. */
struct portal_relay_descriptor {
	uint8_t kind; /* enum portal_wire_fd_kind */
	int fd; /* owned */
};

struct portal_relay {
	struct portal_relay_options options;
	struct portal_relay_handlers handlers;
	void *data;
	struct portal_wire *wire;
	struct portal_relay_counters counters;
	int fd; /* -1 once ended */
	short events; /* as the handler was told */

	/* From the socket: raw bytes and descriptors, then checked messages waiting for the
	 * channel. */
	uint8_t input[PORTAL_RELAY_INPUT];
	size_t input_size;
	int input_fds[2 * PORTAL_RELAY_MAX_FDS];
	size_t n_input_fds;
	struct portal_queue backlog;
	struct portal_motion motion;
	bool merging;

	/* From the channel: descriptors, then checked messages waiting for the socket. */
	struct portal_relay_descriptor descriptors[PORTAL_RELAY_MAX_FDS];
	size_t n_descriptors;
	int blob_fd; /* of the blob whose pieces come in, or -1 */
	uint64_t blob_size, blob_at;
	/* The rest of a frame that the quota's rate holds back, not checked yet; or NULL. */
	uint8_t *untrusted_held;
	size_t held_at, held_size;
	struct portal_queue output;
	bool output_broken; /* the socket takes nothing more, but may have something to read */
	bool congested;

	/* The end. */
	bool connect_pending, disconnect_pending; /* frames that did not fit yet */
	bool disconnect_sent, disconnect_received;
	bool ended, ended_told, released_told;
	enum portal_relay_end end;
	char text[320];
	bool *destroyed; /* set by destroy while a public call is under way */
};

/* relay.c: ends the connection, with a text for the log; only the first time counts. */
void portal_relay_set_ended(struct portal_relay *relay, enum portal_relay_end end,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

/* relay.c: ends the connection for a verdict that was not PASS or HIDE. */
void portal_relay_reject(
	struct portal_relay *relay, enum portal_wire_verdict verdict, bool from_socket);

/*
 * relay.c: begin and end a public call. Handlers that may destroy the relay are called in leave,
 * the last thing to happen in a call.
 */
void portal_relay_enter(struct portal_relay *relay, bool *destroyed);
void portal_relay_leave(struct portal_relay *relay, bool *destroyed);

/* relay_input.c: reads once from the socket, checks, and moves what it can to the channel. */
void portal_relay_read(struct portal_relay *relay);
/* Moves what waits to the channel; the frames of begin and end go the same way. */
void portal_relay_send(struct portal_relay *relay);
void portal_relay_close_input(struct portal_relay *relay);

/* relay_output.c: takes messages and descriptors from the channel; writes to the socket. */
void portal_relay_put(struct portal_relay *relay, const uint8_t *untrusted_messages, size_t size);
/* Goes on with what the rate held back, as far as it goes now. */
void portal_relay_put_held(struct portal_relay *relay);
void portal_relay_put_heap(struct portal_relay *relay);
void portal_relay_put_blob(struct portal_relay *relay, uint64_t untrusted_size,
	uint64_t untrusted_offset, const void *piece, size_t piece_size);
void portal_relay_write(struct portal_relay *relay);
void portal_relay_close_output(struct portal_relay *relay);

#endif
