#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "channel-impl.h"

static const uint8_t magic[8] = {0x89, 'P', 'O', 'R', 'T', 'A', 'L', '\n'};

static void put(struct portal_channel *channel, const void *data, size_t size) {
	memcpy(portal_ring_at(&channel->output, channel->output.head), data, size);
	channel->output.head += size;
}

/*
 * Complete whatever frame an earlier session left half sent, and then break the stream on purpose:
 * as many zeros as a frame can have bytes are, at the latest after that frame, a header of no type.
 */
static void queue_reset(struct portal_channel *channel) {
	memset(portal_ring_at(&channel->output, channel->output.head), 0, PORTAL_FRAME_MAX);
	channel->output.head += PORTAL_FRAME_MAX;
}

static void queue_preamble(struct portal_channel *channel, uint64_t token) {
	struct channel_preamble preamble = {.token = token};
	memcpy(preamble.magic, magic, sizeof(magic));
	put(channel, &preamble, sizeof(preamble));
}

static void queue_hello(struct portal_channel *channel) {
	channel->sequence_out = 0;
	channel->heap_fd_at = channel->output.head;
	void *payload = portal_channel_begin_any(
		channel, PORTAL_FRAME_HELLO, 0, channel->local_hello_size, 0);
	memcpy(payload, channel->local_hello, channel->local_hello_size);
	portal_channel_end(channel, 0, channel->local_hello_size);
}

/* A controller's greeting, which begins or begins again. Only with an empty queue. */
void portal_channel_greeting_queue(struct portal_channel *channel) {
	channel->regreet = false;
	if (channel->transport->persistent) {
		queue_reset(channel);
	}
	do {
		randombytes_buf(&channel->token, sizeof(channel->token));
	} while (channel->token == 0);
	queue_preamble(channel, channel->token);
	queue_hello(channel);
}

int portal_channel_greeting_init(
	struct portal_channel *channel, const struct portal_channel_options *options) {
	channel->greeting = CHANNEL_WAIT_PREAMBLE;
	channel->heap_fd_at = UINT64_MAX;
	randombytes_buf(channel->local.nonce, sizeof(channel->local.nonce));
	ptrdiff_t size = portal_hello_encode(
		&channel->local, channel->local_hello, sizeof(channel->local_hello));
	if (size < 0) {
		return -1;
	}
	channel->local_hello_size = (size_t)size;
	if (options->role == PORTAL_ROLE_CONTROLLER) {
		portal_channel_greeting_queue(channel);
	} else if (channel->transport->announce) {
		queue_reset(channel);
		queue_preamble(channel, 0);
	}
	return 0;
}

/* Forget everything before the next preamble, or before what may be the begin of one. */
static bool find_preamble(struct portal_ring *input, struct channel_preamble *untrusted_preamble) {
	while (portal_ring_used(input) >= sizeof(*untrusted_preamble)) {
		const uint8_t *data = portal_ring_at(input, input->tail);
		if (memcmp(data, magic, sizeof(magic)) == 0) {
			memcpy(untrusted_preamble, data, sizeof(*untrusted_preamble));
			input->tail += sizeof(*untrusted_preamble);
			return true;
		}
		size_t used = portal_ring_used(input);
		const uint8_t *next = memchr(data + 1, magic[0], used - 1);
		input->tail += next != NULL ? (uint64_t)(next - data) : used;
	}
	return false;
}

static bool is_mine(struct portal_channel *channel, uint64_t untrusted_token) {
	if (channel->local.role == PORTAL_ROLE_GUEST) {
		/* zero: another guest's call, which a pipe between two guests may carry */
		channel->token = untrusted_token;
		return untrusted_token != 0;
	}
	if (untrusted_token == 0) {
		/* the guest opened its port after the greeting was sent, which may be lost */
		channel->regreet = true;
	}
	return untrusted_token == channel->token && !channel->regreet;
}

bool portal_channel_greeting_take_preamble(struct portal_channel *channel) {
	struct portal_ring *input = &channel->input;
	struct channel_preamble preamble;
	if (!channel->transport->persistent) {
		/* nothing can come first here */
		size_t used = portal_ring_used(input);
		size_t compare = used < sizeof(magic) ? used : sizeof(magic);
		if (memcmp(portal_ring_at(input, input->tail), magic, compare) != 0) {
			portal_channel_fail(channel, PORTAL_BYE_VIOLATION,
				"the other end does not speak Portal's protocol");
			return false;
		}
	}
	while (find_preamble(input, &preamble)) {
		if (is_mine(channel, preamble.token)) {
			portal_ring_align(input, PORTAL_FRAME_ALIGNMENT);
			channel->greeting = CHANNEL_WAIT_HELLO;
			channel->sequence_in = 0;
			return true;
		}
		if (!channel->transport->persistent) {
			portal_channel_fail(channel, PORTAL_BYE_VIOLATION,
				"the answer is not to this greeting");
			return false;
		}
	}
	return false;
}

static void become_ready(struct portal_channel *channel) {
	channel->greeting = CHANNEL_GREETED;
	channel->state = PORTAL_CHANNEL_READY;
	channel->features = channel->local.features & channel->peer.features;
	int heap_fd = channel->received_fd;
	channel->received_fd = -1;
	portal_channel_send_ping(channel);
	if (channel->handlers.ready != NULL) {
		channel->handlers.ready(channel->data, &channel->peer, heap_fd);
	} else if (heap_fd >= 0) {
		close(heap_fd);
	}
}

static void queue_proof(struct portal_channel *channel) {
	uint8_t *proof =
		portal_channel_begin_any(channel, PORTAL_FRAME_AUTH, 0, PORTAL_AUTH_SIZE, 0);
	portal_auth_prove(proof, channel->key, channel->local.role, &channel->transcript);
	portal_channel_end(channel, 0, PORTAL_AUTH_SIZE);
}

static void take_transcript(struct portal_channel *channel, const struct portal_frame *frame) {
	if (channel->local.role == PORTAL_ROLE_CONTROLLER) {
		portal_auth_transcript_init(&channel->transcript, channel->local_hello,
			channel->local_hello_size, frame->payload, frame->length);
	} else {
		portal_auth_transcript_init(&channel->transcript, frame->payload, frame->length,
			channel->local_hello, channel->local_hello_size);
	}
}

/* Whether the two can speak; fails the channel when not. */
static bool agree(struct portal_channel *channel) {
	const struct portal_hello *local = &channel->local, *peer = &channel->peer;
	char text[PORTAL_BYE_TEXT_MAX];
	if (peer->role == local->role) {
		portal_channel_fail(channel, PORTAL_BYE_VIOLATION, "both ends are the %s",
			local->role == PORTAL_ROLE_CONTROLLER ? "controller" : "guest");
		return false;
	}
	channel->version = portal_hello_negotiate(local, peer, text, sizeof(text));
	if (channel->version == 0) {
		portal_channel_fail(channel, PORTAL_BYE_VERSION, "%s", text);
		return false;
	}
	if (peer->needs_key != channel->has_key) {
		const char *side = local->role == PORTAL_ROLE_CONTROLLER ? "controller" : "guest";
		portal_channel_fail(channel, PORTAL_BYE_AUTH,
			channel->has_key ? "the %s has the VM's key, the other end has none"
					 : "the %s lacks the VM's key that the other end asks for",
			side);
		return false;
	}
	return true;
}

static void take_hello(struct portal_channel *channel, const struct portal_frame *frame) {
	if (frame->type != PORTAL_FRAME_HELLO ||
		portal_hello_decode(&channel->peer, frame->payload, frame->length) < 0) {
		portal_channel_fail(
			channel, PORTAL_BYE_VIOLATION, "the first frame is not a valid HELLO");
		return;
	}
	take_transcript(channel, frame);
	channel->greeting = CHANNEL_WAIT_PROOF;
	if (channel->local.role == PORTAL_ROLE_GUEST) {
		/* also when the two do not agree, so that the other end can tell why */
		queue_preamble(channel, channel->token);
		queue_hello(channel);
	}
	if (!agree(channel)) {
		return;
	}
	if (!channel->has_key) {
		become_ready(channel);
	} else if (channel->local.role == PORTAL_ROLE_CONTROLLER) {
		queue_proof(channel);
	}
}

static void take_proof(struct portal_channel *channel, const struct portal_frame *frame) {
	if (frame->type != PORTAL_FRAME_AUTH) {
		portal_channel_fail(channel, PORTAL_BYE_AUTH, "%s came before the key was proved",
			portal_frame_type_name(frame->type));
		return;
	}
	if (!portal_auth_verify(
		    frame->payload, channel->key, channel->peer.role, &channel->transcript)) {
		portal_channel_fail(
			channel, PORTAL_BYE_AUTH, "the other end does not have the VM's key");
		return;
	}
	if (channel->local.role == PORTAL_ROLE_GUEST) {
		queue_proof(channel);
	}
	become_ready(channel);
}

void portal_channel_greeting_take_frame(
	struct portal_channel *channel, const struct portal_frame *frame) {
	if (frame->type == PORTAL_FRAME_BYE) {
		portal_channel_receive(channel, frame);
	} else if (channel->greeting == CHANNEL_WAIT_HELLO) {
		take_hello(channel, frame);
	} else {
		take_proof(channel, frame);
	}
}
