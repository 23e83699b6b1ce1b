#include <assert.h>
#include <errno.h>
#include <string.h>

#include "channel-impl.h"

void *portal_channel_begin_any(struct portal_channel *channel, enum portal_frame_type type,
	uint32_t id, size_t size, size_t spare) {
	assert(channel->begun == NULL);
	if (size > PORTAL_FRAME_PAYLOAD_MAX) {
		errno = EMSGSIZE;
		return NULL;
	}
	struct portal_ring *output = &channel->output;
	if (portal_ring_free(output) < portal_frame_size(size) + spare) {
		channel->starved = true;
		errno = EAGAIN;
		return NULL;
	}
	channel->begun = portal_ring_at(output, output->head) + sizeof(struct portal_frame_header);
	channel->begun_type = type;
	channel->begun_id = id;
	return channel->begun;
}

void *portal_channel_begin(
	struct portal_channel *channel, enum portal_frame_type type, uint32_t id, size_t size) {
	if (channel->state != PORTAL_CHANNEL_READY) {
		errno = ENOTCONN;
		return NULL;
	}
	return portal_channel_begin_any(channel, type, id, size, CHANNEL_BYE_SIZE);
}

void portal_channel_end(struct portal_channel *channel, uint16_t flags, size_t used) {
	assert(channel->begun != NULL);
	uint8_t *header = (uint8_t *)channel->begun - sizeof(struct portal_frame_header);
	channel->begun = NULL;
	size_t size = portal_frame_encode(header, channel->begun_type, flags, channel->begun_id,
		channel->sequence_out++, used);
	channel->counters.frames_sent++;
	if (channel->output_error == 0) { /* else nobody will read it */
		channel->output.head += size;
	}
}

size_t portal_channel_get_space(const struct portal_channel *channel) {
	size_t space = portal_ring_free(&channel->output);
	size_t spare = CHANNEL_BYE_SIZE + sizeof(struct portal_frame_header);
	return space > spare ? space - spare : 0;
}

size_t portal_channel_get_queued(const struct portal_channel *channel) {
	return portal_ring_used(&channel->output);
}

/* A frame of a fixed structure and up to one run of bytes behind it. */
static int send_frame(struct portal_channel *channel, enum portal_frame_type type, uint16_t flags,
	uint32_t id, const void *fixed, size_t fixed_size, const void *bytes, size_t size) {
	uint8_t *payload = portal_channel_begin(channel, type, id, fixed_size + size);
	if (payload == NULL) {
		return -1;
	}
	if (fixed_size > 0) {
		memcpy(payload, fixed, fixed_size);
	}
	if (size > 0) {
		memcpy(payload + fixed_size, bytes, size);
	}
	portal_channel_end(channel, flags, fixed_size + size);
	return 0;
}

static int send_text(struct portal_channel *channel, enum portal_frame_type type, uint32_t id,
	const char *text, size_t max) {
	size_t size = text != NULL ? strnlen(text, max) : 0;
	return send_frame(channel, type, 0, id, NULL, 0, text, size);
}

int portal_channel_send_connect(
	struct portal_channel *channel, uint32_t connection, const char *name) {
	return send_text(channel, PORTAL_FRAME_CONNECT, connection, name, PORTAL_CONNECT_NAME_MAX);
}

int portal_channel_send_disconnect(
	struct portal_channel *channel, uint32_t connection, const char *reason) {
	return send_text(channel, PORTAL_FRAME_DISCONNECT, connection, reason, PORTAL_BYE_TEXT_MAX);
}

int portal_channel_send_wayland(
	struct portal_channel *channel, uint32_t connection, const void *messages, size_t size) {
	return send_frame(channel, PORTAL_FRAME_WAYLAND, 0, connection, NULL, 0, messages, size);
}

int portal_channel_send_heap(struct portal_channel *channel, uint32_t connection) {
	const struct portal_frame_descriptor descriptor = {.kind = PORTAL_DESCRIPTOR_HEAP};
	return send_frame(channel, PORTAL_FRAME_DESCRIPTOR, 0, connection, &descriptor,
		sizeof(descriptor), NULL, 0);
}

int portal_channel_send_pipe(struct portal_channel *channel, uint32_t connection, uint32_t pipe,
	enum portal_pipe_direction direction) {
	const struct portal_frame_descriptor descriptor = {
		.kind = PORTAL_DESCRIPTOR_PIPE,
		.object = pipe,
		.direction = direction,
	};
	return send_frame(channel, PORTAL_FRAME_DESCRIPTOR, 0, connection, &descriptor,
		sizeof(descriptor), NULL, 0);
}

static int check_blob_fits(struct portal_channel *channel, size_t size) {
	if (channel->state != PORTAL_CHANNEL_READY) {
		errno = ENOTCONN;
		return -1;
	}
	size_t pieces = size / PORTAL_BLOB_PIECE_MAX + 1;
	size_t need = size + pieces * (portal_frame_size(sizeof(struct portal_frame_descriptor)) +
					      PORTAL_FRAME_ALIGNMENT);
	if (size > PORTAL_BLOB_MAX || need > channel->output.size - CHANNEL_BYE_SIZE) {
		errno = EMSGSIZE;
		return -1;
	}
	if (need + CHANNEL_BYE_SIZE > portal_ring_free(&channel->output)) {
		channel->starved = true;
		errno = EAGAIN;
		return -1;
	}
	return 0;
}

int portal_channel_send_blob(
	struct portal_channel *channel, uint32_t connection, const void *content, size_t size) {
	if (check_blob_fits(channel, size) < 0) {
		return -1;
	}
	struct portal_frame_descriptor descriptor = {
		.kind = PORTAL_DESCRIPTOR_BLOB,
		.size = size,
	};
	do {
		size_t left = size - (size_t)descriptor.offset;
		size_t piece = left < PORTAL_BLOB_PIECE_MAX ? left : PORTAL_BLOB_PIECE_MAX;
		const uint8_t *from = (const uint8_t *)content + descriptor.offset;
		if (send_frame(channel, PORTAL_FRAME_DESCRIPTOR, 0, connection, &descriptor,
			    sizeof(descriptor), from, piece) < 0) {
			return -1;
		}
		descriptor.offset += piece;
	} while (descriptor.offset < size);
	return 0;
}

int portal_channel_send_pipe_data(
	struct portal_channel *channel, uint32_t pipe, const void *bytes, size_t size, bool end) {
	uint16_t flags = end ? PORTAL_PIPE_FLAG_END : 0;
	return send_frame(channel, PORTAL_FRAME_PIPE_DATA, flags, pipe, NULL, 0, bytes, size);
}

int portal_channel_send_pipe_credit(struct portal_channel *channel, uint32_t pipe, uint32_t bytes) {
	const struct portal_frame_pipe_credit credit = {.bytes = bytes};
	return send_frame(
		channel, PORTAL_FRAME_PIPE_CREDIT, 0, pipe, &credit, sizeof(credit), NULL, 0);
}

int portal_channel_send_pipe_close(struct portal_channel *channel, uint32_t pipe) {
	return send_frame(channel, PORTAL_FRAME_PIPE_CLOSE, 0, pipe, NULL, 0, NULL, 0);
}

static size_t measure_strings(const char *const *strings, uint32_t *count) {
	size_t size = 0;
	*count = 0;
	for (; strings != NULL && strings[*count] != NULL; (*count)++) {
		size += strlen(strings[*count]) + 1;
	}
	return size;
}

static char *write_strings(char *at, const char *const *strings, uint32_t count) {
	for (uint32_t i = 0; i < count; i++) {
		at = stpcpy(at, strings[i]) + 1;
	}
	return at;
}

int portal_channel_send_launch(struct portal_channel *channel, uint32_t launch,
	const char *const *argv, const char *const *envp) {
	struct portal_frame_launch header;
	size_t size = sizeof(header) + measure_strings(argv, &header.argument_count);
	size += measure_strings(envp, &header.environment_count);
	if (header.argument_count == 0 || header.argument_count > PORTAL_LAUNCH_STRINGS_MAX ||
		header.environment_count > PORTAL_LAUNCH_STRINGS_MAX) {
		errno = header.argument_count == 0 ? EINVAL : EMSGSIZE;
		return -1;
	}
	uint8_t *payload = portal_channel_begin(channel, PORTAL_FRAME_LAUNCH, launch, size);
	if (payload == NULL) {
		return -1;
	}
	memcpy(payload, &header, sizeof(header));
	char *at = (char *)payload + sizeof(header);
	at = write_strings(at, argv, header.argument_count);
	write_strings(at, envp, header.environment_count);
	portal_channel_end(channel, 0, size);
	return 0;
}

int portal_channel_send_launched(
	struct portal_channel *channel, uint32_t launch, int32_t pid, int32_t error) {
	const struct portal_frame_launched launched = {.pid = pid, .error = error};
	return send_frame(
		channel, PORTAL_FRAME_LAUNCHED, 0, launch, &launched, sizeof(launched), NULL, 0);
}

int portal_channel_send_exited(
	struct portal_channel *channel, uint32_t launch, int32_t status, int32_t signal) {
	const struct portal_frame_exited exited = {.status = status, .signal = signal};
	return send_frame(
		channel, PORTAL_FRAME_EXITED, 0, launch, &exited, sizeof(exited), NULL, 0);
}

int portal_channel_send_signal(struct portal_channel *channel, uint32_t launch, int32_t signal) {
	const struct portal_frame_signal payload = {.signal = signal};
	return send_frame(
		channel, PORTAL_FRAME_SIGNAL, 0, launch, &payload, sizeof(payload), NULL, 0);
}

int portal_channel_send_call(struct portal_channel *channel, uint32_t id,
	const struct portal_frame_call *call, const char *guest) {
	size_t length = guest != NULL ? strlen(guest) : 0;
	if (length > PORTAL_NAME_MAX) {
		errno = EINVAL;
		return -1;
	}
	return send_frame(channel, PORTAL_FRAME_CALL, 0, id, call, sizeof(*call), guest, length);
}

int portal_channel_send_answer(struct portal_channel *channel, uint32_t id, uint32_t error,
	const struct portal_frame_guest *guests, size_t count, const char *text) {
	if (count > PORTAL_ANSWER_GUESTS_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	const struct portal_frame_answer answer = {.error = error, .guests = (uint32_t)count};
	size_t length = text != NULL ? strnlen(text, PORTAL_BYE_TEXT_MAX) : 0;
	size_t list = count * sizeof(*guests);
	size_t size = sizeof(answer) + list + length;
	uint8_t *payload = portal_channel_begin(channel, PORTAL_FRAME_ANSWER, id, size);
	if (payload == NULL) {
		return -1;
	}
	memcpy(payload, &answer, sizeof(answer));
	if (list > 0) {
		memcpy(payload + sizeof(answer), guests, list);
	}
	if (length > 0) {
		memcpy(payload + sizeof(answer) + list, text, length);
	}
	portal_channel_end(channel, 0, size);
	return 0;
}

int portal_channel_send_stats(
	struct portal_channel *channel, const struct portal_frame_stat *stats, size_t count) {
	return send_frame(
		channel, PORTAL_FRAME_STATS, 0, 0, NULL, 0, stats, count * sizeof(*stats));
}

int portal_channel_send_ping(struct portal_channel *channel) {
	const struct portal_frame_ping ping = {.sent = portal_channel_clock_now()};
	if (send_frame(channel, PORTAL_FRAME_PING, 0, 0, &ping, sizeof(ping), NULL, 0) < 0) {
		return -1;
	}
	channel->ping_sent = ping.sent;
	return 0;
}
