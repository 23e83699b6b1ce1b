#ifndef PORTAL_FRAME_H
#define PORTAL_FRAME_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Frames, the unit of the channel; see portal-protocol(7). A frame is a header, its payload, and
 * zeros up to a multiple of eight bytes, so that every header and payload is aligned for all
 * integers of the protocol. All integers are little-endian. This file is the codec only: it owns
 * nothing and never allocates.
 */

#define PORTAL_FRAME_ALIGNMENT 8
#define PORTAL_FRAME_MAX 65536 /* bytes of a whole frame: header, payload and padding */

enum portal_frame_type {
	PORTAL_FRAME_INVALID = 0, /* what a run of zeros decodes to: "start again", see channel.h */
	PORTAL_FRAME_HELLO = 1,
	PORTAL_FRAME_AUTH = 2,
	PORTAL_FRAME_BYE = 3,
	PORTAL_FRAME_PING = 4,
	PORTAL_FRAME_PONG = 5,
	PORTAL_FRAME_STATS = 6,

	PORTAL_FRAME_CONNECT = 16, /* id: connection; payload: name, may be empty */
	PORTAL_FRAME_DISCONNECT = 17, /* id: connection; payload: reason for a log, may be empty */
	PORTAL_FRAME_WAYLAND = 18, /* id: connection; payload: whole Wayland messages */
	PORTAL_FRAME_DESCRIPTOR =
		19, /* id: connection; payload: portal_frame_descriptor, content */

	PORTAL_FRAME_PIPE_DATA = 32, /* id: pipe; payload: bytes */
	PORTAL_FRAME_PIPE_CREDIT = 33, /* id: pipe; payload: portal_frame_pipe_credit */
	PORTAL_FRAME_PIPE_CLOSE = 34, /* id: pipe; no payload: neither direction is used any more */

	PORTAL_FRAME_HEAP_DATA = 48, /* payload: portal_frame_heap_data, pixels (mirrored heap) */

	PORTAL_FRAME_LAUNCH = 64, /* id: launch; payload: portal_frame_launch, strings */
	PORTAL_FRAME_LAUNCHED = 65, /* id: launch; payload: portal_frame_launched */
	PORTAL_FRAME_EXITED = 66, /* id: launch; payload: portal_frame_exited */
	PORTAL_FRAME_SIGNAL = 67, /* id: launch; payload: portal_frame_signal */

	PORTAL_FRAME_CALL = 80, /* id: call; payload: portal_frame_call, a guest's name */
	PORTAL_FRAME_ANSWER = 81, /* id: call; payload: portal_frame_answer, guests, text */
};

#define PORTAL_CONNECT_NAME_MAX 256 /* bytes of CONNECT's name */

struct portal_frame_header {
	uint32_t length; /* bytes of payload, padding not counted */
	uint16_t type; /* enum portal_frame_type */
	uint16_t flags; /* meaning depends on type, unused ones are zero */
	uint32_t id; /* meaning depends on type, else zero */
	uint32_t sequence; /* counts this direction's frames since HELLO (0), modulo 2^32 */
};
static_assert(sizeof(struct portal_frame_header) == 16, "frame header");

#define PORTAL_FRAME_PAYLOAD_MAX (PORTAL_FRAME_MAX - sizeof(struct portal_frame_header))

enum portal_descriptor_kind {
	PORTAL_DESCRIPTOR_HEAP = 1, /* the heap itself; no content */
	PORTAL_DESCRIPTOR_BLOB = 2, /* a read-only file with this content, such as a keymap */
	PORTAL_DESCRIPTOR_PIPE = 3, /* one end of a pipe */
};

/* which end of the pipe the Wayland message carries, seen from who sends the descriptor */
enum portal_pipe_direction {
	PORTAL_PIPE_INCOMING = 1, /* the message carries a writing end: data flows to the sender */
	PORTAL_PIPE_OUTGOING =
		2, /* the message carries a reading end: data flows from the sender */
};

/*
 * Descriptors come before the WAYLAND frame whose messages consume them, in the order in which the
 * connection's messages consume them. A BLOB's content follows in the same frame and, when it does
 * not fit, in further DESCRIPTOR frames of the same connection with rising offset and nothing of
 * that connection in between; it is complete when offset plus content reaches size.
 */
struct portal_frame_descriptor {
	uint32_t kind;
	uint32_t object; /* PIPE: its id; HEAP: 0; BLOB: 0 */
	uint32_t direction; /* PIPE: enum portal_pipe_direction */
	uint32_t reserved;
	uint64_t size; /* BLOB: bytes of the whole content */
	uint64_t offset; /* BLOB: where this frame's content belongs */
};
static_assert(sizeof(struct portal_frame_descriptor) == 32, "descriptor");

#define PORTAL_BLOB_MAX (16u << 20)
#define PORTAL_BLOB_PIECE_MAX (PORTAL_FRAME_PAYLOAD_MAX - sizeof(struct portal_frame_descriptor))

/*
 * A pipe's id is chosen by the side that sends its descriptor: the controller's have
 * PORTAL_PIPE_ID_CONTROLLER set, the guest's have not. An id may be used again after both sides
 * have sent PIPE_CLOSE. PIPE_DATA needs credit: the writer begins with PORTAL_PIPE_CREDIT_INITIAL
 * bytes, the reader grants more as it drains.
 */
#define PORTAL_PIPE_ID_CONTROLLER UINT32_C(0x80000000)
#define PORTAL_PIPE_CREDIT_INITIAL 65536u
#define PORTAL_PIPE_FLAG_END 1u /* PIPE_DATA: no data comes after this frame's */

struct portal_frame_pipe_credit {
	uint32_t bytes;
	uint32_t reserved;
};
static_assert(sizeof(struct portal_frame_pipe_credit) == 8, "pipe credit");

enum portal_heap_encoding {
	PORTAL_HEAP_ENCODING_RAW = 0,
};

/* Rows of pixels for a heap that is mirrored, not shared. Reserved: no transport uses it yet. */
struct portal_frame_heap_data {
	uint64_t offset; /* in the heap, of the first row */
	uint32_t stride;
	uint32_t row_bytes;
	uint32_t rows;
	uint32_t encoding; /* enum portal_heap_encoding */
};
static_assert(sizeof(struct portal_frame_heap_data) == 24, "heap data");

/* Followed by argument_count and then environment_count ("NAME=VALUE") NUL-terminated strings. */
struct portal_frame_launch {
	uint32_t argument_count; /* at least 1 */
	uint32_t environment_count;
};
static_assert(sizeof(struct portal_frame_launch) == 8, "launch");

#define PORTAL_LAUNCH_STRINGS_MAX 1024 /* arguments, and again environment */

struct portal_frame_launched {
	int32_t pid; /* in the guest, 0 when it was not started */
	int32_t error; /* errno of Linux on x86, 0 when it was started */
};
static_assert(sizeof(struct portal_frame_launched) == 8, "launched");

struct portal_frame_exited {
	int32_t status; /* exit status, meaningless when signal is not 0 */
	int32_t signal; /* that ended it, or 0 */
};
static_assert(sizeof(struct portal_frame_exited) == 8, "exited");

struct portal_frame_signal {
	int32_t signal;
	int32_t reserved;
};
static_assert(sizeof(struct portal_frame_signal) == 8, "signal");

/*
 * A controller VM's door to the host (feature PORTAL_FEATURE_DOOR): the controller calls, the
 * host's end, which has the guest's role, answers each call once, in any order. Every call but LIST
 * is about one guest, whose name follows: printable ASCII, at most PORTAL_NAME_MAX bytes, no NUL.
 */
struct portal_frame_call {
	uint32_t method; /* enum portal_call_method */
	uint32_t flags; /* PORTAL_CALL_FLAG_FORCE */
	uint64_t value; /* STOP: seconds to wait at most; HEAP_USE: bytes */
};
static_assert(sizeof(struct portal_frame_call) == 16, "call");

enum portal_call_method {
	PORTAL_CALL_LIST = 1,
	PORTAL_CALL_START = 2, /* answered when the guest runs */
	PORTAL_CALL_STOP = 3, /* answered when it has shut down */
	PORTAL_CALL_HEAP_USE = 4, /* so much of its heap is in use */
};

#define PORTAL_CALL_FLAG_FORCE 1u /* STOP: without asking the guest to shut down */

/* Followed by so many portal_frame_guest, and text for people as in BYE; both may be empty. */
struct portal_frame_answer {
	uint32_t error; /* enum portal_call_error */
	uint32_t guests;
};
static_assert(sizeof(struct portal_frame_answer) == 8, "answer");

enum portal_call_error {
	PORTAL_CALL_DONE = 0,
	PORTAL_CALL_NO_GUEST = 1, /* none of this controller's */
	PORTAL_CALL_REFUSED = 2, /* the host's policy, or its memory plan, is against it */
	PORTAL_CALL_FAILED = 3, /* it was tried */
	PORTAL_CALL_TIMEOUT = 4, /* STOP: the guest is still shutting down */
	PORTAL_CALL_UNAVAILABLE = 5, /* who decides is not there: portal-hostd, or libvirt */
	PORTAL_CALL_UNKNOWN = 6, /* no such method in this version */
};

enum portal_guest_state {
	PORTAL_GUEST_UNKNOWN = 0,
	PORTAL_GUEST_UNDEFINED = 1, /* the host has no such domain */
	PORTAL_GUEST_OFF = 2,
	PORTAL_GUEST_RUNNING = 3,
	PORTAL_GUEST_PAUSED = 4,
	PORTAL_GUEST_STOPPING = 5,
};

struct portal_frame_guest {
	char name[64]; /* zeros behind it, at least one */
	uint32_t state; /* enum portal_guest_state */
	uint32_t reserved;
	uint64_t heap_size; /* bytes; 0 when not known */
};
static_assert(sizeof(struct portal_frame_guest) == 80, "guest");

#define PORTAL_ANSWER_GUESTS_MAX 512

/* CLOCK_MONOTONIC of the machine that writes the field, in nanoseconds */
struct portal_frame_ping {
	uint64_t sent;
};
static_assert(sizeof(struct portal_frame_ping) == 8, "ping");

struct portal_frame_pong {
	uint64_t ping_sent; /* as it came in the PING */
	uint64_t received;
};
static_assert(sizeof(struct portal_frame_pong) == 16, "pong");

/* STATS: any number of these; none asks the guest for them. Unknown keys are skipped. */
struct portal_frame_stat {
	uint32_t key; /* enum portal_stat */
	uint32_t reserved;
	uint64_t value;
};
static_assert(sizeof(struct portal_frame_stat) == 16, "stat");

/* Counted since the agent's start. */
enum portal_stat {
	PORTAL_STAT_COMMITS = 1, /* of the applications */
	PORTAL_STAT_FRAMES = 2, /* commits that were passed on */
	PORTAL_STAT_DAMAGED_PIXELS = 3, /* passed on with them */
	PORTAL_STAT_COPIED_PIXELS = 4, /* into the heap: those, and what its other buffers missed */
	PORTAL_STAT_HEAP_USED = 5, /* bytes in use now */
};

enum portal_bye_reason {
	PORTAL_BYE_DONE = 1, /* asked for: the program ends */
	PORTAL_BYE_REPLACED = 2, /* another controller took over */
	PORTAL_BYE_VERSION = 3, /* the two ends' versions do not meet */
	PORTAL_BYE_AUTH = 4, /* the other end did not prove the VM's key */
	PORTAL_BYE_VIOLATION = 5, /* the other end broke a rule */
	PORTAL_BYE_QUOTA = 6, /* a bound was reached that back-pressure does not help */
	PORTAL_BYE_COMPOSITOR = 7, /* the compositor went away */
	PORTAL_BYE_FAILURE = 8, /* this end cannot go on: no memory, no heap … */
};

/* Followed by text for a log: printable UTF-8, at most PORTAL_BYE_TEXT_MAX bytes, no NUL. */
struct portal_frame_bye {
	uint32_t reason;
	uint32_t reserved;
};
static_assert(sizeof(struct portal_frame_bye) == 8, "bye");
#define PORTAL_BYE_TEXT_MAX 512

/* A frame in a buffer; payload points into that buffer. */
struct portal_frame {
	enum portal_frame_type type;
	uint16_t flags;
	uint32_t id;
	uint32_t sequence;
	uint32_t length;
	const uint8_t *payload;
};

/* Bytes that a frame with this much payload takes in the stream. */
static inline size_t portal_frame_size(size_t length) {
	return (sizeof(struct portal_frame_header) + length + PORTAL_FRAME_ALIGNMENT - 1) &
	       ~(size_t)(PORTAL_FRAME_ALIGNMENT - 1);
}

/*
 * Decode the frame at the begin of data. Returns the bytes it takes, 0 when more are needed, and −1
 * with errno EPROTO when no frame can begin so: unknown type, a length over the limit, a fixed
 * payload of another size, flags or padding that must be zero. A length that a type cannot have is
 * refused from the header alone, before its payload arrives. The payload's content is not checked.
 */
ptrdiff_t portal_frame_decode(const void *data, size_t size, struct portal_frame *frame);

/*
 * Write header and padding around length bytes of payload that stand, or will stand, at
 * (uint8_t *)data + sizeof(struct portal_frame_header). Returns the frame's size in the stream.
 */
size_t portal_frame_encode(void *data, enum portal_frame_type type, uint16_t flags, uint32_t id,
	uint32_t sequence, size_t length);

/* "WAYLAND", or "unknown" */
const char *portal_frame_type_name(uint32_t type);

/* "protocol violation", or "unknown" */
const char *portal_bye_reason_name(uint32_t reason);

#endif
