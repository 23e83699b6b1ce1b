#include <errno.h>
#include <string.h>

#include "frame.h"
#include "hello.h"

/* Wayland messages travel in their sender's byte order, so the machines must have the same anyway.
 */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames are little-endian");

#define HEADER sizeof(struct portal_frame_header)
#define ANY PORTAL_FRAME_PAYLOAD_MAX

struct frame_form {
	const char *name; /* NULL: no such type */
	uint16_t flags; /* that may be set */
	uint32_t min, max;
};

static const struct frame_form forms[] = {
	[PORTAL_FRAME_HELLO] = {"HELLO", 0, PORTAL_HELLO_MIN, PORTAL_HELLO_MAX},
	[PORTAL_FRAME_AUTH] = {"AUTH", 0, 32, 32},
	[PORTAL_FRAME_BYE] = {"BYE", 0, sizeof(struct portal_frame_bye),
		sizeof(struct portal_frame_bye) + PORTAL_BYE_TEXT_MAX},
	[PORTAL_FRAME_PING] = {"PING", 0, sizeof(struct portal_frame_ping),
		sizeof(struct portal_frame_ping)},
	[PORTAL_FRAME_PONG] = {"PONG", 0, sizeof(struct portal_frame_pong),
		sizeof(struct portal_frame_pong)},
	[PORTAL_FRAME_STATS] = {"STATS", 0, 0, ANY},
	[PORTAL_FRAME_CONNECT] = {"CONNECT", 0, 0, PORTAL_CONNECT_NAME_MAX},
	[PORTAL_FRAME_DISCONNECT] = {"DISCONNECT", 0, 0, PORTAL_BYE_TEXT_MAX},
	[PORTAL_FRAME_WAYLAND] = {"WAYLAND", 0, 8, ANY},
	[PORTAL_FRAME_DESCRIPTOR] = {"DESCRIPTOR", 0, sizeof(struct portal_frame_descriptor), ANY},
	[PORTAL_FRAME_PIPE_DATA] = {"PIPE_DATA", PORTAL_PIPE_FLAG_END, 0, ANY},
	[PORTAL_FRAME_PIPE_CREDIT] = {"PIPE_CREDIT", 0, sizeof(struct portal_frame_pipe_credit),
		sizeof(struct portal_frame_pipe_credit)},
	[PORTAL_FRAME_PIPE_CLOSE] = {"PIPE_CLOSE", 0, 0, 0},
	[PORTAL_FRAME_HEAP_DATA] = {"HEAP_DATA", 0, sizeof(struct portal_frame_heap_data), ANY},
	[PORTAL_FRAME_LAUNCH] = {"LAUNCH", 0, sizeof(struct portal_frame_launch), ANY},
	[PORTAL_FRAME_LAUNCHED] = {"LAUNCHED", 0, sizeof(struct portal_frame_launched),
		sizeof(struct portal_frame_launched)},
	[PORTAL_FRAME_EXITED] = {"EXITED", 0, sizeof(struct portal_frame_exited),
		sizeof(struct portal_frame_exited)},
	[PORTAL_FRAME_SIGNAL] = {"SIGNAL", 0, sizeof(struct portal_frame_signal),
		sizeof(struct portal_frame_signal)},
	[PORTAL_FRAME_CALL] = {"CALL", 0, sizeof(struct portal_frame_call),
		sizeof(struct portal_frame_call) + PORTAL_NAME_MAX},
	[PORTAL_FRAME_ANSWER] = {"ANSWER", 0, sizeof(struct portal_frame_answer),
		sizeof(struct portal_frame_answer) +
			PORTAL_ANSWER_GUESTS_MAX * sizeof(struct portal_frame_guest) +
			PORTAL_BYE_TEXT_MAX},
};

static const struct frame_form *find_form(uint32_t type) {
	if (type >= sizeof(forms) / sizeof(forms[0]) || forms[type].name == NULL) {
		return NULL;
	}
	return &forms[type];
}

static bool is_zero(const uint8_t *data, size_t size) {
	for (size_t i = 0; i < size; i++) {
		if (data[i] != 0) {
			return false;
		}
	}
	return true;
}

ptrdiff_t portal_frame_decode(const void *data, size_t size, struct portal_frame *frame) {
	if (size < HEADER) {
		return 0;
	}
	struct portal_frame_header header;
	memcpy(&header, data, sizeof(header));
	const struct frame_form *form = find_form(header.type);
	if (form == NULL || header.length < form->min || header.length > form->max ||
		(header.flags & ~form->flags) != 0) {
		errno = EPROTO;
		return -1;
	}
	size_t whole = portal_frame_size(header.length);
	if (size < whole) {
		return 0;
	}
	const uint8_t *payload = (const uint8_t *)data + HEADER;
	if (!is_zero(payload + header.length, whole - HEADER - header.length)) {
		errno = EPROTO;
		return -1;
	}
	*frame = (struct portal_frame){
		.type = header.type,
		.flags = header.flags,
		.id = header.id,
		.sequence = header.sequence,
		.length = header.length,
		.payload = payload,
	};
	return (ptrdiff_t)whole;
}

size_t portal_frame_encode(void *data, enum portal_frame_type type, uint16_t flags, uint32_t id,
	uint32_t sequence, size_t length) {
	const struct portal_frame_header header = {
		.length = (uint32_t)length,
		.type = (uint16_t)type,
		.flags = flags,
		.id = id,
		.sequence = sequence,
	};
	size_t whole = portal_frame_size(length);
	memcpy(data, &header, sizeof(header));
	memset((uint8_t *)data + HEADER + length, 0, whole - HEADER - length);
	return whole;
}

const char *portal_frame_type_name(uint32_t type) {
	const struct frame_form *form = find_form(type);
	return form != NULL ? form->name : "unknown";
}

const char *portal_bye_reason_name(uint32_t reason) {
	static const char *const names[] = {
		[PORTAL_BYE_DONE] = "done",
		[PORTAL_BYE_REPLACED] = "replaced by another controller",
		[PORTAL_BYE_VERSION] = "versions do not meet",
		[PORTAL_BYE_AUTH] = "key not proved",
		[PORTAL_BYE_VIOLATION] = "protocol violation",
		[PORTAL_BYE_QUOTA] = "quota exceeded",
		[PORTAL_BYE_COMPOSITOR] = "compositor went away",
		[PORTAL_BYE_FAILURE] = "failure",
	};
	if (reason >= sizeof(names) / sizeof(names[0]) || names[reason] == NULL) {
		return "unknown";
	}
	return names[reason];
}
