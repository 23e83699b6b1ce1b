#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "channel-impl.h"

/* Reads of an edge-triggered stream in one dispatch, before others get their turn. */
#define READS_PER_DISPATCH 16

static bool is_zero(const uint8_t *data, size_t size) {
	for (size_t i = 0; i < size; i++) {
		if (data[i] != 0) {
			return false;
		}
	}
	return true;
}

static void refuse_frame(struct portal_channel *channel, const uint8_t *data) {
	struct portal_frame_header untrusted_header;
	memcpy(&untrusted_header, data, sizeof(untrusted_header));
	if (channel->transport->persistent && is_zero(data, sizeof(untrusted_header))) {
		portal_channel_end_by_peer(
			channel, PORTAL_BYE_REPLACED, "the other end started again");
		return;
	}
	portal_channel_fail(channel, PORTAL_BYE_VIOLATION,
		"no such frame: type %u (%s), flags %#x, length %u", untrusted_header.type,
		portal_frame_type_name(untrusted_header.type), untrusted_header.flags,
		untrusted_header.length);
}

static void take_frame(struct portal_channel *channel, const struct portal_frame *frame) {
	channel->counters.frames_received++;
	if (frame->sequence != channel->sequence_in) {
		portal_channel_fail(channel, PORTAL_BYE_VIOLATION,
			"frame %u came where %u was due: bytes were lost", frame->sequence,
			channel->sequence_in);
		return;
	}
	channel->sequence_in++;
	if (channel->greeting != CHANNEL_GREETED) {
		portal_channel_greeting_take_frame(channel, frame);
	} else {
		portal_channel_receive(channel, frame);
	}
}

void portal_channel_take_input(struct portal_channel *channel) {
	struct portal_ring *input = &channel->input;
	if (channel->greeting == CHANNEL_WAIT_PREAMBLE &&
		!portal_channel_greeting_take_preamble(channel)) {
		return;
	}
	while (channel->state != PORTAL_CHANNEL_CLOSED && !channel->paused) {
		const uint8_t *data = portal_ring_at(input, input->tail);
		struct portal_frame frame;
		ptrdiff_t size = portal_frame_decode(data, portal_ring_used(input), &frame);
		if (size == 0) {
			return;
		}
		if (size < 0) {
			refuse_frame(channel, data);
			return;
		}
		/* taken before its handler runs, so that it is not handed out twice, or on */
		input->tail += (uint64_t)size;
		take_frame(channel, &frame);
	}
}

static void keep_fd(struct portal_channel *channel, int fd) {
	if (fd < 0) {
		return;
	}
	if (channel->greeting == CHANNEL_GREETED || channel->received_fd >= 0) {
		close(fd);
		return;
	}
	channel->received_fd = fd;
}

/* Returns whether there may be more to read. */
static bool read_input(struct portal_channel *channel) {
	struct portal_ring *input = &channel->input;
	int fd;
	ssize_t got = portal_transport_read(channel->transport, portal_ring_at(input, input->head),
		portal_ring_free(input), &fd);
	channel->counters.reads++;
	keep_fd(channel, fd);
	if (got < 0 && errno == EINTR) {
		return true;
	}
	if (got < 0 && errno == EAGAIN) {
		if (channel->output_error != 0) {
			portal_channel_lose_stream(channel, channel->output_error);
		}
		return false;
	}
	if (got <= 0) {
		portal_channel_lose_stream(channel, got < 0 ? errno : channel->output_error);
		return false;
	}
	input->head += (uint64_t)got;
	channel->counters.bytes_received += (uint64_t)got;
	portal_channel_take_input(channel);
	return true;
}

static void read_edge_triggered(struct portal_channel *channel) {
	for (int i = 0; i < READS_PER_DISPATCH; i++) {
		if (channel->state == PORTAL_CHANNEL_CLOSED || channel->paused ||
			!read_input(channel)) {
			return;
		}
	}
	portal_transport_rearm(channel->transport);
}

void portal_channel_read(struct portal_channel *channel) {
	if (channel->transport->persistent) {
		read_edge_triggered(channel);
	} else {
		read_input(channel);
	}
}
