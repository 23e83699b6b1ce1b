#include <string.h>

#include "channel-impl.h"
#include "printable.h"

#define CALL(channel, handler, ...)                                                                \
	do {                                                                                       \
		if ((channel)->handlers.handler != NULL) {                                         \
			(channel)->handlers.handler((channel)->data, __VA_ARGS__);                 \
		}                                                                                  \
	} while (0)

static void violate(
	struct portal_channel *channel, const struct portal_frame *frame, const char *what) {
	portal_channel_fail(channel, PORTAL_BYE_VIOLATION, "%s (id %u): %s",
		portal_frame_type_name(frame->type), frame->id, what);
}

/* The payload's bytes from `start` on. */
static void copy_text(char *text, size_t size, const struct portal_frame *frame, size_t start) {
	portal_printable_copy(
		text, size, (const char *)frame->payload + start, frame->length - start);
}

static void take_bye(struct portal_channel *channel, const struct portal_frame *frame) {
	struct portal_frame_bye bye;
	char text[PORTAL_BYE_TEXT_MAX + 1];
	memcpy(&bye, frame->payload, sizeof(bye));
	copy_text(text, sizeof(text), frame, sizeof(bye));
	portal_channel_end_by_peer(
		channel, bye.reason, text[0] != '\0' ? text : portal_bye_reason_name(bye.reason));
}

static void take_ping(struct portal_channel *channel, const struct portal_frame *frame) {
	struct portal_frame_ping ping;
	memcpy(&ping, frame->payload, sizeof(ping));
	const struct portal_frame_pong pong = {
		.ping_sent = ping.sent,
		.received = portal_channel_clock_now(),
	};
	uint8_t *payload = portal_channel_begin(channel, PORTAL_FRAME_PONG, 0, sizeof(pong));
	if (payload != NULL) { /* a late answer would be a wrong one */
		memcpy(payload, &pong, sizeof(pong));
		portal_channel_end(channel, 0, sizeof(pong));
	}
}

static void take_pong(struct portal_channel *channel, const struct portal_frame *frame) {
	struct portal_frame_pong untrusted_pong;
	memcpy(&untrusted_pong, frame->payload, sizeof(untrusted_pong));
	portal_channel_clock_take(channel, &untrusted_pong);
}

static void take_stats(struct portal_channel *channel, const struct portal_frame *frame) {
	if (frame->length % sizeof(struct portal_frame_stat) != 0) {
		violate(channel, frame, "a part of an entry");
		return;
	}
	CALL(channel, stats, (const struct portal_frame_stat *)(const void *)frame->payload,
		frame->length / sizeof(struct portal_frame_stat));
}

static void take_connect(struct portal_channel *channel, const struct portal_frame *frame) {
	char name[PORTAL_CONNECT_NAME_MAX + 1];
	copy_text(name, sizeof(name), frame, 0);
	CALL(channel, connect, frame->id, name);
}

static void take_disconnect(struct portal_channel *channel, const struct portal_frame *frame) {
	char reason[PORTAL_BYE_TEXT_MAX + 1];
	copy_text(reason, sizeof(reason), frame, 0);
	CALL(channel, disconnect, frame->id, reason);
}

static void take_blob(struct portal_channel *channel, const struct portal_frame *frame,
	const struct portal_frame_descriptor *untrusted_blob, size_t piece) {
	if (untrusted_blob->size > PORTAL_BLOB_MAX ||
		untrusted_blob->offset > untrusted_blob->size ||
		piece > untrusted_blob->size - untrusted_blob->offset ||
		(piece == 0 && untrusted_blob->size != 0)) {
		violate(channel, frame, "a piece that is not of its blob");
		return;
	}
	CALL(channel, blob, frame->id, untrusted_blob->size, untrusted_blob->offset,
		frame->payload + sizeof(*untrusted_blob), piece);
}

static void take_descriptor(struct portal_channel *channel, const struct portal_frame *frame) {
	struct portal_frame_descriptor untrusted_descriptor;
	memcpy(&untrusted_descriptor, frame->payload, sizeof(untrusted_descriptor));
	size_t content = frame->length - sizeof(untrusted_descriptor);
	if (untrusted_descriptor.kind == PORTAL_DESCRIPTOR_BLOB) {
		take_blob(channel, frame, &untrusted_descriptor, content);
		return;
	}
	if (content != 0) {
		violate(channel, frame, "content where none belongs");
		return;
	}
	uint32_t direction = untrusted_descriptor.direction;
	if (untrusted_descriptor.kind == PORTAL_DESCRIPTOR_HEAP) {
		CALL(channel, heap, frame->id);
	} else if (untrusted_descriptor.kind == PORTAL_DESCRIPTOR_PIPE &&
		   (direction == PORTAL_PIPE_INCOMING || direction == PORTAL_PIPE_OUTGOING)) {
		CALL(channel, pipe, frame->id, untrusted_descriptor.object, direction);
	} else {
		violate(channel, frame, "no such kind or direction");
	}
}

static void take_wayland(struct portal_channel *channel, const struct portal_frame *frame) {
	if (frame->length % 4 != 0) {
		violate(channel, frame, "not whole Wayland messages");
		return;
	}
	CALL(channel, wayland, frame->id, frame->payload, frame->length);
}

static void take_pipe_credit(struct portal_channel *channel, const struct portal_frame *frame) {
	struct portal_frame_pipe_credit credit;
	memcpy(&credit, frame->payload, sizeof(credit));
	CALL(channel, pipe_credit, frame->id, credit.bytes);
}

static void take_heap_data(struct portal_channel *channel, const struct portal_frame *frame) {
	struct portal_frame_heap_data untrusted_header;
	memcpy(&untrusted_header, frame->payload, sizeof(untrusted_header));
	CALL(channel, heap_data, &untrusted_header, frame->payload + sizeof(untrusted_header),
		frame->length - sizeof(untrusted_header));
}

/* Point count strings in [*at, end) out; false when there are fewer. */
static bool split_strings(
	const char **strings, uint32_t untrusted_count, const char **at, const char *end) {
	if (untrusted_count > PORTAL_LAUNCH_STRINGS_MAX) {
		return false;
	}
	for (uint32_t i = 0; i < untrusted_count; i++) {
		const char *terminator = memchr(*at, '\0', (size_t)(end - *at));
		if (terminator == NULL) {
			return false;
		}
		strings[i] = *at;
		*at = terminator + 1;
	}
	strings[untrusted_count] = NULL;
	return true;
}

static void take_launch(struct portal_channel *channel, const struct portal_frame *frame) {
	struct portal_frame_launch untrusted_launch;
	memcpy(&untrusted_launch, frame->payload, sizeof(untrusted_launch));
	const char *at = (const char *)frame->payload + sizeof(untrusted_launch);
	const char *end = (const char *)frame->payload + frame->length;
	const char **argv = channel->strings;
	const char **envp = channel->strings + PORTAL_LAUNCH_STRINGS_MAX + 1;
	if (untrusted_launch.argument_count == 0 ||
		!split_strings(argv, untrusted_launch.argument_count, &at, end) ||
		!split_strings(envp, untrusted_launch.environment_count, &at, end) || at != end) {
		violate(channel, frame, "counts and strings differ");
		return;
	}
	CALL(channel, launch, frame->id, argv, envp);
}

static void take_launched(struct portal_channel *channel, const struct portal_frame *frame) {
	struct portal_frame_launched launched;
	memcpy(&launched, frame->payload, sizeof(launched));
	CALL(channel, launched, frame->id, launched.pid, launched.error);
}

static void take_exited(struct portal_channel *channel, const struct portal_frame *frame) {
	struct portal_frame_exited exited;
	memcpy(&exited, frame->payload, sizeof(exited));
	CALL(channel, exited, frame->id, exited.status, exited.signal);
}

static void take_signal(struct portal_channel *channel, const struct portal_frame *frame) {
	struct portal_frame_signal payload;
	memcpy(&payload, frame->payload, sizeof(payload));
	CALL(channel, signal, frame->id, payload.signal);
}

static void take_call(struct portal_channel *channel, const struct portal_frame *frame) {
	struct portal_frame_call untrusted_call;
	char name[PORTAL_NAME_MAX + 1];
	memcpy(&untrusted_call, frame->payload, sizeof(untrusted_call));
	size_t length = frame->length - sizeof(untrusted_call);
	memcpy(name, frame->payload + sizeof(untrusted_call), length);
	name[length] = '\0';
	if (!portal_printable_is(name, length)) {
		violate(channel, frame, "a name that is not printable");
		return;
	}
	CALL(channel, call, frame->id, &untrusted_call, name);
}

static bool is_guest(const struct portal_frame_guest *untrusted_guest) {
	size_t length = strnlen(untrusted_guest->name, sizeof(untrusted_guest->name));
	return length > 0 && length < sizeof(untrusted_guest->name) &&
	       portal_printable_is(untrusted_guest->name, length);
}

static void take_answer(struct portal_channel *channel, const struct portal_frame *frame) {
	struct portal_frame_answer untrusted_answer;
	memcpy(&untrusted_answer, frame->payload, sizeof(untrusted_answer));
	size_t left = frame->length - sizeof(untrusted_answer);
	uint32_t count = untrusted_answer.guests;
	const struct portal_frame_guest *guests =
		(const void *)(frame->payload + sizeof(untrusted_answer));
	if (count > PORTAL_ANSWER_GUESTS_MAX || left < count * sizeof(*guests) ||
		left - count * sizeof(*guests) > PORTAL_BYE_TEXT_MAX) {
		violate(channel, frame, "its guests and its length differ");
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		if (!is_guest(&guests[i])) {
			violate(channel, frame, "a guest without a printable name");
			return;
		}
	}
	char text[PORTAL_BYE_TEXT_MAX + 1];
	copy_text(text, sizeof(text), frame, sizeof(untrusted_answer) + count * sizeof(*guests));
	CALL(channel, answer, frame->id, untrusted_answer.error, guests, count, text);
}

void portal_channel_receive(struct portal_channel *channel, const struct portal_frame *frame) {
	switch (frame->type) {
	case PORTAL_FRAME_INVALID:
	case PORTAL_FRAME_HELLO:
	case PORTAL_FRAME_AUTH:
		violate(channel, frame, "the greeting is over");
		break;
	case PORTAL_FRAME_BYE:
		take_bye(channel, frame);
		break;
	case PORTAL_FRAME_PING:
		take_ping(channel, frame);
		break;
	case PORTAL_FRAME_PONG:
		take_pong(channel, frame);
		break;
	case PORTAL_FRAME_STATS:
		take_stats(channel, frame);
		break;
	case PORTAL_FRAME_CONNECT:
		take_connect(channel, frame);
		break;
	case PORTAL_FRAME_DISCONNECT:
		take_disconnect(channel, frame);
		break;
	case PORTAL_FRAME_WAYLAND:
		take_wayland(channel, frame);
		break;
	case PORTAL_FRAME_DESCRIPTOR:
		take_descriptor(channel, frame);
		break;
	case PORTAL_FRAME_PIPE_DATA:
		CALL(channel, pipe_data, frame->id, frame->payload, frame->length,
			(frame->flags & PORTAL_PIPE_FLAG_END) != 0);
		break;
	case PORTAL_FRAME_PIPE_CREDIT:
		take_pipe_credit(channel, frame);
		break;
	case PORTAL_FRAME_PIPE_CLOSE:
		CALL(channel, pipe_close, frame->id);
		break;
	case PORTAL_FRAME_HEAP_DATA:
		take_heap_data(channel, frame);
		break;
	case PORTAL_FRAME_LAUNCH:
		take_launch(channel, frame);
		break;
	case PORTAL_FRAME_LAUNCHED:
		take_launched(channel, frame);
		break;
	case PORTAL_FRAME_EXITED:
		take_exited(channel, frame);
		break;
	case PORTAL_FRAME_SIGNAL:
		take_signal(channel, frame);
		break;
	case PORTAL_FRAME_CALL:
		take_call(channel, frame);
		break;
	case PORTAL_FRAME_ANSWER:
		take_answer(channel, frame);
		break;
	}
}
