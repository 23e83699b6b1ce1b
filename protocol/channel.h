#ifndef PORTAL_CHANNEL_H
#define PORTAL_CHANNEL_H

#include "auth.h"
#include "frame.h"
#include "hello.h"
#include "transport.h"

/*
 * One end of a channel over one stream: HELLO, proof of the key, then frames, each handed to a
 * handler. Single-threaded and non-blocking, for any event loop: wait on portal_channel_get_fd()
 * for portal_channel_get_events() and call portal_channel_dispatch(). Nothing is allocated after
 * portal_channel_create(). See portal-protocol(7).
 *
 * A loop's turn:
 *	poll {portal_channel_get_fd(), portal_channel_get_events()}
 *	portal_channel_dispatch(revents)	reads, calls handlers
 *	… queue frames …
 *	portal_channel_flush()			one write for all of them
 * Ask for the events again after each turn; portal_channel_set_events_handler() tells of changes.
 */

struct portal_channel;

enum portal_channel_state {
	PORTAL_CHANNEL_GREETING, /* before the other end's HELLO and proof */
	PORTAL_CHANNEL_READY,
	PORTAL_CHANNEL_CLOSED,
};

/* Why a channel closed. */
struct portal_channel_end {
	enum portal_bye_reason reason; /* PORTAL_BYE_FAILURE also for a lost stream */
	bool by_peer; /* the peer said BYE, or the stream ended */
	const char *text; /* one line for a log, printable, never NULL; valid in the handler only */
};

/*
 * Handlers; any may be NULL, its frames are then dropped. Payloads are private memory, never shared
 * with the other end, aligned to eight bytes and valid in the handler only. Numbers in them are
 * the other end's: only the frame's form has been checked. A handler may send, and may end the
 * channel with portal_channel_fail() or destroy it.
 */
struct portal_channel_handlers {
	/*
	 * HELLO and proof are done; peer lives as long as the channel. heap_fd is the descriptor
	 * that came with HELLO, now the handler's, or −1.
	 */
	void (*ready)(void *data, const struct portal_hello *peer, int heap_fd);
	/* Last call: the channel takes no more frames; destroy it here or later. */
	void (*closed)(void *data, const struct portal_channel_end *end);
	/* Queue space is back after a send failed with EAGAIN. */
	void (*writable)(void *data);

	void (*connect)(void *data, uint32_t connection, const char *name);
	void (*disconnect)(void *data, uint32_t connection, const char *reason);
	void (*wayland)(void *data, uint32_t connection, const void *messages, size_t size);
	void (*heap)(void *data, uint32_t connection);
	/* a piece of a blob; pieces come in order, the last one ends at size */
	void (*blob)(void *data, uint32_t connection, uint64_t size, uint64_t offset,
		const void *piece, size_t piece_size);
	void (*pipe)(void *data, uint32_t connection, uint32_t pipe,
		enum portal_pipe_direction direction);

	void (*pipe_data)(void *data, uint32_t pipe, const void *bytes, size_t size, bool end);
	void (*pipe_credit)(void *data, uint32_t pipe, uint32_t bytes);
	void (*pipe_close)(void *data, uint32_t pipe);

	void (*heap_data)(void *data, const struct portal_frame_heap_data *header,
		const void *pixels, size_t size);

	/* argv and envp: NULL-terminated, strings inside the payload */
	void (*launch)(
		void *data, uint32_t launch, const char *const *argv, const char *const *envp);
	void (*launched)(void *data, uint32_t launch, int32_t pid, int32_t error);
	void (*exited)(void *data, uint32_t launch, int32_t status, int32_t signal);
	void (*signal)(void *data, uint32_t launch, int32_t signal);

	/* the name is printable and may be empty */
	void (*call)(void *data, uint32_t call, const struct portal_frame_call *untrusted_call,
		const char *guest);
	/* names of guests are printable, states and text as well */
	void (*answer)(void *data, uint32_t call, uint32_t error,
		const struct portal_frame_guest *guests, size_t count, const char *text);

	void (*stats)(void *data, const struct portal_frame_stat *stats, size_t count);
	/* a PONG came: portal_channel_get_clock_offset() is fresh */
	void (*pong)(void *data);
};

#define PORTAL_CHANNEL_QUEUE_DEFAULT (1u << 20)

struct portal_channel_options {
	enum portal_role role;
	const char *name; /* of the VM; may be NULL */
	const char *software; /* program and version */
	uint8_t session[16];
	uint64_t features; /* enum portal_feature; HEAP_FD is set by the channel */
	struct portal_hello_heap heap;
	int heap_fd; /* −1, or a descriptor to pass with HELLO where the transport can; caller's */
	const uint8_t *key; /* PORTAL_KEY_SIZE bytes, copied; NULL where none is needed */
	size_t queue_size; /* bytes of output held at most, rounded up to pages; 0: the default */
	/* 16 bytes of portal_hello_get_boot_id(), for who cannot open files; NULL: it is asked */
	const uint8_t *boot_id;
	uint32_t version_min, version_max; /* 0: this library's own; for tests */
};

/*
 * Take over a stream and queue this end's greeting. Returns NULL with errno, and the transport is
 * destroyed then: ENOKEY when the transport needs a key and there is none, EINVAL for a name that
 * is not printable or too long, ENOMEM.
 */
struct portal_channel *portal_channel_create(struct portal_transport *transport,
	const struct portal_channel_options *options,
	const struct portal_channel_handlers *handlers, void *data);

/* Close the stream and free; no handler is called. NULL is fine; allowed inside handlers. */
void portal_channel_destroy(struct portal_channel *channel);

int portal_channel_get_fd(const struct portal_channel *channel);

/* poll(2) events to wait for now. */
short portal_channel_get_events(struct portal_channel *channel);

/*
 * Called when portal_channel_get_events() would answer differently than before, so that a loop with
 * registered sources need not ask each turn. May be NULL.
 */
void portal_channel_set_events_handler(
	struct portal_channel *channel, void (*handler)(void *data, short events));

/*
 * Read once and hand out whole frames. Pass poll's revents. Returns 0, or −1 once the channel is
 * closed (the closed handler has been called, or the channel destroyed by a handler).
 */
int portal_channel_dispatch(struct portal_channel *channel, short revents);

/*
 * Write what is queued, in one system call. Returns 0 (also when some of it has to wait for
 * POLLOUT), −1 once the channel is closed.
 */
int portal_channel_flush(struct portal_channel *channel);

enum portal_channel_state portal_channel_get_state(const struct portal_channel *channel);

/* NULL before ready. */
const struct portal_hello *portal_channel_get_peer(const struct portal_channel *channel);

/* The version in use, features that both ends have; 0 before ready. */
uint32_t portal_channel_get_version(const struct portal_channel *channel);
uint64_t portal_channel_get_features(const struct portal_channel *channel);

/*
 * End the channel: queue and try to write BYE with the reason and a printf-style line, then close.
 * The closed handler is called with the same line, at the latest when the dispatch or flush that is
 * running returns, else before this returns. Only the first call counts.
 */
void portal_channel_fail(struct portal_channel *channel, enum portal_bye_reason reason,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

/*
 * Back-pressure to the other end: while paused nothing is read and no frame handed out. After
 * resuming, frames that were already read are handed out by the next dispatch; get_events() and the
 * events handler ask for it (POLLOUT, which is at hand at once).
 */
void portal_channel_set_paused(struct portal_channel *channel, bool paused);

/* Bytes free in the output queue, headers not counted in. */
size_t portal_channel_get_space(const struct portal_channel *channel);

/* Bytes queued and not yet written. */
size_t portal_channel_get_queued(const struct portal_channel *channel);

/*
 * Queue one frame in two steps: portal_channel_begin() returns where up to size bytes of payload
 * can be written, portal_channel_end() takes the first `used` of them (0 ≤ used ≤ size) as the
 * payload. Between the two no other call is allowed. NULL with errno: EAGAIN when the queue has no
 * room (the writable handler follows), ENOTCONN before ready and after the end, EMSGSIZE over
 * PORTAL_FRAME_PAYLOAD_MAX.
 */
void *portal_channel_begin(
	struct portal_channel *channel, enum portal_frame_type type, uint32_t id, size_t size);
void portal_channel_end(struct portal_channel *channel, uint16_t flags, size_t used);

/* Each queues one frame, or nothing: 0, or −1 with portal_channel_begin()'s errno. */
int portal_channel_send_connect(
	struct portal_channel *channel, uint32_t connection, const char *name);
int portal_channel_send_disconnect(
	struct portal_channel *channel, uint32_t connection, const char *reason);
int portal_channel_send_wayland(
	struct portal_channel *channel, uint32_t connection, const void *messages, size_t size);
int portal_channel_send_heap(struct portal_channel *channel, uint32_t connection);
int portal_channel_send_pipe(struct portal_channel *channel, uint32_t connection, uint32_t pipe,
	enum portal_pipe_direction direction);
/* All pieces or none; EMSGSIZE over PORTAL_BLOB_MAX or what an empty queue could hold. */
int portal_channel_send_blob(
	struct portal_channel *channel, uint32_t connection, const void *content, size_t size);
int portal_channel_send_pipe_data(
	struct portal_channel *channel, uint32_t pipe, const void *bytes, size_t size, bool end);
int portal_channel_send_pipe_credit(struct portal_channel *channel, uint32_t pipe, uint32_t bytes);
int portal_channel_send_pipe_close(struct portal_channel *channel, uint32_t pipe);
/* envp may be NULL; EMSGSIZE when the strings do not fit one frame. */
int portal_channel_send_launch(struct portal_channel *channel, uint32_t launch,
	const char *const *argv, const char *const *envp);
int portal_channel_send_launched(
	struct portal_channel *channel, uint32_t launch, int32_t pid, int32_t error);
int portal_channel_send_exited(
	struct portal_channel *channel, uint32_t launch, int32_t status, int32_t signal);
int portal_channel_send_signal(struct portal_channel *channel, uint32_t launch, int32_t signal);
/* guest: NULL for LIST; EINVAL when it cannot be a name. */
int portal_channel_send_call(struct portal_channel *channel, uint32_t id,
	const struct portal_frame_call *call, const char *guest);
/* text may be NULL, and is cut to PORTAL_BYE_TEXT_MAX; EMSGSIZE over PORTAL_ANSWER_GUESTS_MAX. */
int portal_channel_send_answer(struct portal_channel *channel, uint32_t id, uint32_t error,
	const struct portal_frame_guest *guests, size_t count, const char *text);
/* count 0 asks the guest for its counters */
int portal_channel_send_stats(
	struct portal_channel *channel, const struct portal_frame_stat *stats, size_t count);

/*
 * Ask for the other end's clock. Each end does so when it becomes ready, and again while somebody
 * asks portal_channel_get_clock_offset().
 */
int portal_channel_send_ping(struct portal_channel *channel);

/*
 * What to add to a CLOCK_MONOTONIC time of the other end to get this end's, in ns, from the PONG
 * with the shortest round trip of the last few. round_trip (ns, may be NULL) bounds the error: ±
 * half of it. False before the first PONG. Queues a PING when what is known is over two seconds
 * old.
 */
bool portal_channel_get_clock_offset(
	struct portal_channel *channel, int64_t *offset, uint64_t *round_trip);

/* Since the begin, for STATS and benchmarks. */
struct portal_channel_counters {
	uint64_t frames_sent, frames_received;
	uint64_t bytes_sent, bytes_received; /* as written to and read from the stream */
	uint64_t writes, reads; /* system calls */
};
struct portal_channel_counters portal_channel_get_counters(const struct portal_channel *channel);

#endif
