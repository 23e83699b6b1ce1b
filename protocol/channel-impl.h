#ifndef PORTAL_CHANNEL_IMPL_H
#define PORTAL_CHANNEL_IMPL_H

#include "channel.h"
#include "ring.h"
#include "transport-impl.h"

/* Inside protocol/ only: one channel, its greeting, its clock. */

#define CHANNEL_INPUT_SIZE (2 * PORTAL_FRAME_MAX)
#define CHANNEL_BYE_SIZE 1024 /* kept free in the queue, so that BYE always fits */
#define CHANNEL_CLOCK_SAMPLES 8

enum channel_greeting {
	CHANNEL_WAIT_PREAMBLE,
	CHANNEL_WAIT_HELLO,
	CHANNEL_WAIT_PROOF,
	CHANNEL_GREETED,
};

/*
 * Sent before HELLO. The controller chooses the token, not zero, and the guest sends it back, so
 * that an answer to an earlier controller is told from one to this. A guest that has just opened a
 * persistent stream sends token zero: "greet me".
 */
struct channel_preamble {
	uint8_t magic[8];
	uint64_t token;
};
static_assert(sizeof(struct channel_preamble) == 16, "preamble");

struct clock_sample {
	uint64_t taken; /* this end's clock */
	int64_t offset;
	uint64_t round_trip;
};

struct portal_channel {
	struct portal_transport *transport;
	struct portal_channel_handlers handlers;
	void *data;
	void (*events_handler)(void *data, short events);

	enum portal_channel_state state;
	enum channel_greeting greeting;
	struct portal_hello local, peer;
	uint64_t token;
	bool regreet; /* greet again once the queue is empty */
	bool has_key;
	uint8_t key[PORTAL_KEY_SIZE];
	/* HELLO payloads for the proof */
	uint8_t local_hello[PORTAL_HELLO_MAX];
	size_t local_hello_size;
	struct portal_auth_transcript transcript;
	uint32_t version;
	uint64_t features;

	struct portal_ring input, output;
	uint32_t sequence_in, sequence_out;
	int heap_fd; /* to send, −1 when none or sent */
	uint64_t heap_fd_at; /* where in the output it belongs */
	int received_fd; /* −1 when none */

	bool paused;
	bool blocked; /* output waits for POLLOUT */
	bool starved; /* a send failed for lack of room */
	bool resumed; /* frames, or the stream's end, may wait in the input */
	int output_error; /* errno of a write that ended the output, or 0 */
	short last_events;

	void *begun; /* payload between begin and end */
	enum portal_frame_type begun_type;
	uint32_t begun_id;

	int depth; /* of calls that must not find the channel freed */
	bool destroyed, end_told;
	struct portal_channel_end end;
	char end_text[PORTAL_BYE_TEXT_MAX + 1];

	uint64_t ping_sent; /* of the PING that is under way, 0 when none */
	struct clock_sample clock[CHANNEL_CLOCK_SAMPLES];
	unsigned int clock_count;

	struct portal_channel_counters counters;
	const char *strings[2 * PORTAL_LAUNCH_STRINGS_MAX + 2];
};

/* channel.c */
/* The stream ended, or the peer said so. */
void portal_channel_end_by_peer(
	struct portal_channel *channel, enum portal_bye_reason reason, const char *text);
/* No more can be read or written; ERROR is an errno, or 0 at the end of the stream. */
void portal_channel_lose_stream(struct portal_channel *channel, int error);
/* begin and end without asking whether the channel is ready */
void *portal_channel_begin_any(struct portal_channel *channel, enum portal_frame_type type,
	uint32_t id, size_t size, size_t spare);

/* channel_input.c */
/* Read what there is, once or for as long as an edge-triggered stream wants, and hand it out. */
void portal_channel_read(struct portal_channel *channel);
/* Hand out the whole frames that are in the input. */
void portal_channel_take_input(struct portal_channel *channel);

/* channel_greeting.c */
int portal_channel_greeting_init(
	struct portal_channel *channel, const struct portal_channel_options *options);
/* Bytes before the first frame. Returns true once frames follow. */
bool portal_channel_greeting_take_preamble(struct portal_channel *channel);
void portal_channel_greeting_take_frame(
	struct portal_channel *channel, const struct portal_frame *frame);
void portal_channel_greeting_queue(struct portal_channel *channel);

/* channel_receive.c */
void portal_channel_receive(struct portal_channel *channel, const struct portal_frame *frame);

/* channel_clock.c */
uint64_t portal_channel_clock_now(void);
void portal_channel_clock_take(
	struct portal_channel *channel, const struct portal_frame_pong *untrusted_pong);

#endif
