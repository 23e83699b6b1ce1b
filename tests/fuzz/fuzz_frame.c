#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "mutator.h"
#include "transport-impl.h"

/*
 * Hostile bytes for one end of a channel. The first byte of an input chooses the end and how far
 * the greeting has come before the rest is fed: bit 0: controller, else guest	bit 1: with a key,
 * which the input cannot know bit 2: persistent stream	bits 3-4: enum depth	bits 5-7: how the
 * stream is cut
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum depth {
	DEPTH_RAW, /* from the first byte on */
	DEPTH_PREAMBLE, /* behind a good preamble */
	DEPTH_GREETED, /* behind a good greeting */
	DEPTH_FRAMES, /* the same, and headers and sequence are made good: type, flags, id, length
		       */
};

struct memory_transport {
	struct portal_transport base;
	uint8_t in[1 << 17];
	size_t in_size, in_at, cut;
	uint8_t out[256]; /* the begin of what was written */
	size_t out_size;
};

static ssize_t memory_read(struct portal_transport *base, void *data, size_t size, int *fd) {
	struct memory_transport *transport = (struct memory_transport *)base;
	size_t left = transport->in_size - transport->in_at;
	if (left == 0) {
		errno = EAGAIN;
		return -1;
	}
	size = size < left ? size : left;
	size = size < transport->cut ? size : transport->cut;
	memcpy(data, transport->in + transport->in_at, size);
	transport->in_at += size;
	return (ssize_t)size;
}

static ssize_t memory_write(struct portal_transport *base, const void *data, size_t size, int fd) {
	struct memory_transport *transport = (struct memory_transport *)base;
	size_t room = sizeof(transport->out) - transport->out_size;
	const uint8_t *from = data;
	size_t left = size;
	/* a persistent stream's greeting begins with zeros, which are of no interest here */
	while (transport->out_size == 0 && left > 0 && *from == 0) {
		from++;
		left--;
	}
	size_t kept = left < room ? left : room;
	memcpy(transport->out + transport->out_size, from, kept);
	transport->out_size += kept;
	return (ssize_t)size;
}

static short memory_events(struct portal_transport *base, short wanted) {
	return wanted;
}

static void memory_destroy(struct portal_transport *base) {
	free(base);
}

static const struct portal_transport_impl memory_impl = {
	.read = memory_read,
	.write = memory_write,
	.events = memory_events,
	.destroy = memory_destroy,
};

struct fuzz {
	struct portal_channel *channel;
	bool has_key;
	uint32_t sum; /* of everything handed out, so that a sanitizer sees all of it read */
	uint64_t blob_left;
};

static void sum_bytes(struct fuzz *fuzz, const void *data, size_t size) {
	for (size_t i = 0; i < size; i++) {
		fuzz->sum += ((const uint8_t *)data)[i];
	}
}

static void sum_text(struct fuzz *fuzz, const char *text) {
	for (; *text != '\0'; text++) {
		if (*text < 0x20 || *text > 0x7e) {
			abort(); /* it would reach a log as it is */
		}
		fuzz->sum += (uint8_t)*text;
	}
}

static void handle_ready(void *data, const struct portal_hello *peer, int heap_fd) {
	struct fuzz *fuzz = data;
	if (fuzz->has_key) {
		abort(); /* no input holds the proof */
	}
	sum_text(fuzz, peer->name);
	sum_text(fuzz, peer->software);
}

static void handle_closed(void *data, const struct portal_channel_end *end) {
	sum_text(data, end->text);
}

static void expect_ready(struct fuzz *fuzz) {
	if (portal_channel_get_state(fuzz->channel) != PORTAL_CHANNEL_READY) {
		abort();
	}
}

static void handle_text(void *data, uint32_t id, const char *text) {
	expect_ready(data);
	sum_text(data, text);
}

static void handle_wayland(void *data, uint32_t connection, const void *messages, size_t size) {
	expect_ready(data);
	if (size % 4 != 0 || (uintptr_t)messages % 8 != 0) {
		abort();
	}
	sum_bytes(data, messages, size);
}

static void handle_heap(void *data, uint32_t connection) {
	expect_ready(data);
}

static void handle_blob(void *data, uint32_t connection, uint64_t size, uint64_t offset,
	const void *piece, size_t piece_size) {
	expect_ready(data);
	if (size > PORTAL_BLOB_MAX || offset > size || piece_size > size - offset) {
		abort();
	}
	sum_bytes(data, piece, piece_size);
}

static void handle_pipe(
	void *data, uint32_t connection, uint32_t pipe, enum portal_pipe_direction direction) {
	expect_ready(data);
	if (direction != PORTAL_PIPE_INCOMING && direction != PORTAL_PIPE_OUTGOING) {
		abort();
	}
}

static void handle_pipe_data(void *data, uint32_t pipe, const void *bytes, size_t size, bool end) {
	expect_ready(data);
	sum_bytes(data, bytes, size);
}

static void handle_number(void *data, uint32_t id, uint32_t number) {
	expect_ready(data);
}

static void handle_heap_data(
	void *data, const struct portal_frame_heap_data *header, const void *pixels, size_t size) {
	expect_ready(data);
	sum_bytes(data, header, sizeof(*header));
	sum_bytes(data, pixels, size);
}

static void handle_launch(
	void *data, uint32_t launch, const char *const *argv, const char *const *envp) {
	expect_ready(data);
	if (argv[0] == NULL) {
		abort();
	}
	for (; *argv != NULL; argv++) {
		sum_bytes(data, *argv, strlen(*argv));
	}
	for (; *envp != NULL; envp++) {
		sum_bytes(data, *envp, strlen(*envp));
	}
}

static void handle_numbers(void *data, uint32_t id, int32_t first, int32_t second) {
	expect_ready(data);
}

static void handle_signal(void *data, uint32_t launch, int32_t signal) {
	expect_ready(data);
}

static void handle_call(void *data, uint32_t call, const struct portal_frame_call *untrusted_call,
	const char *guest) {
	expect_ready(data);
	sum_bytes(data, untrusted_call, sizeof(*untrusted_call));
	sum_text(data, guest);
	if (strlen(guest) > PORTAL_NAME_MAX) {
		abort();
	}
}

static void handle_answer(void *data, uint32_t call, uint32_t error,
	const struct portal_frame_guest *guests, size_t count, const char *text) {
	expect_ready(data);
	sum_bytes(data, guests, count * sizeof(*guests));
	sum_text(data, text);
	for (size_t i = 0; i < count; i++) {
		if (strnlen(guests[i].name, sizeof(guests[i].name)) == sizeof(guests[i].name)) {
			abort();
		}
		sum_text(data, guests[i].name);
	}
}

static void handle_stats(void *data, const struct portal_frame_stat *stats, size_t count) {
	expect_ready(data);
	sum_bytes(data, stats, count * sizeof(*stats));
}

static const struct portal_channel_handlers handlers = {
	.ready = handle_ready,
	.closed = handle_closed,
	.connect = handle_text,
	.disconnect = handle_text,
	.wayland = handle_wayland,
	.heap = handle_heap,
	.blob = handle_blob,
	.pipe = handle_pipe,
	.pipe_data = handle_pipe_data,
	.pipe_credit = handle_number,
	.pipe_close = handle_heap,
	.heap_data = handle_heap_data,
	.launch = handle_launch,
	.launched = handle_numbers,
	.exited = handle_numbers,
	.signal = handle_signal,
	.call = handle_call,
	.answer = handle_answer,
	.stats = handle_stats,
};

static void append(struct memory_transport *transport, const void *data, size_t size) {
	size_t room = sizeof(transport->in) - transport->in_size;
	size = size < room ? size : room;
	memcpy(transport->in + transport->in_size, data, size);
	transport->in_size += size;
}

static void append_frame(struct memory_transport *transport, uint16_t type, uint16_t flags,
	uint32_t id, uint32_t sequence, const void *payload, size_t length) {
	static _Alignas(8) uint8_t frame[PORTAL_FRAME_MAX];
	memcpy(frame + sizeof(struct portal_frame_header), payload, length);
	size_t size = portal_frame_encode(frame, type, flags, id, sequence, length);
	append(transport, frame, size);
}

/* The guest sends the controller's token back; a controller may send any. */
static void append_preamble(struct memory_transport *transport, enum portal_role role) {
	uint8_t preamble[16] = {0x89, 'P', 'O', 'R', 'T', 'A', 'L', '\n', 1};
	if (role == PORTAL_ROLE_CONTROLLER && transport->out_size >= sizeof(preamble)) {
		memcpy(preamble, transport->out, sizeof(preamble));
	}
	append(transport, preamble, sizeof(preamble));
}

static void append_hello(struct memory_transport *transport, enum portal_role peer, bool has_key) {
	uint8_t payload[PORTAL_HELLO_MAX];
	const struct portal_hello hello = {
		.version_min = 1,
		.version_max = 1,
		.role = peer,
		.needs_key = has_key,
		.name = "fuzz",
	};
	ptrdiff_t size = portal_hello_encode(&hello, payload, sizeof(payload));
	append_frame(transport, PORTAL_FRAME_HELLO, 0, 0, 0, payload, (size_t)size);
}

/* Each frame: type, flags, id, length (two bytes), payload. */
static void append_frames(struct memory_transport *transport, const uint8_t *data, size_t size) {
	for (uint32_t sequence = 1; size >= 5; sequence++) {
		size_t length = (size_t)data[3] | (size_t)data[4] << 8;
		length = length < size - 5 ? length : size - 5;
		length = length < PORTAL_FRAME_PAYLOAD_MAX ? length : PORTAL_FRAME_PAYLOAD_MAX;
		append_frame(transport, data[0], data[1], data[2], sequence, data + 5, length);
		data += 5 + length;
		size -= 5 + length;
	}
}

static void feed(struct memory_transport *transport, enum depth depth, enum portal_role role,
	bool has_key, const uint8_t *data, size_t size) {
	if (depth >= DEPTH_PREAMBLE) {
		append_preamble(transport, role);
	}
	if (depth >= DEPTH_GREETED) {
		enum portal_role peer =
			role == PORTAL_ROLE_GUEST ? PORTAL_ROLE_CONTROLLER : PORTAL_ROLE_GUEST;
		append_hello(transport, peer, has_key);
	}
	if (depth == DEPTH_FRAMES) {
		append_frames(transport, data, size);
	} else {
		append(transport, data, size);
	}
}

/* Decodes the first frame of memory that ends with the data, and reads what it is said to hold. */
static ptrdiff_t decode(struct fuzz *fuzz, const uint8_t *data, size_t size) {
	struct portal_frame frame;
	uint8_t *copy = malloc(size);
	if (copy == NULL) {
		abort();
	}
	memcpy(copy, data, size);
	ptrdiff_t whole = portal_frame_decode(copy, size, &frame);
	if (whole > 0) {
		sum_bytes(fuzz, frame.payload, frame.length);
	}
	free(copy);
	return whole;
}

/*
 * The channel decodes where it receives, in a ring in which no sanitizer sees an end. So every
 * frame is decoded here as well, by itself, and without its last byte: then it has to wait.
 */
static void decode_all(struct fuzz *fuzz, const uint8_t *data, size_t size) {
	struct portal_frame frame;
	ptrdiff_t whole;
	while ((whole = portal_frame_decode(data, size, &frame)) > 0) {
		if ((size_t)whole > size || decode(fuzz, data, (size_t)whole) != whole ||
			decode(fuzz, data, (size_t)whole - 1) != 0) {
			abort();
		}
		data += whole;
		size -= (size_t)whole;
	}
	decode(fuzz, data, size);
}

static struct memory_transport *transport_new(uint8_t mode) {
	static const size_t cuts[] = {SIZE_MAX, 1, 7, 16, 100, 4096, 65536, SIZE_MAX};
	struct memory_transport *transport = calloc(1, sizeof(*transport));
	if (transport == NULL) {
		abort();
	}
	const struct portal_transport_address address = {.kind = PORTAL_TRANSPORT_UNIX};
	portal_transport_init(&transport->base, &memory_impl, &address, -1);
	transport->base.persistent = (mode & 4) != 0;
	transport->base.announce = transport->base.persistent && (mode & 1) == 0;
	transport->cut = cuts[mode >> 5];
	return transport;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static const uint8_t key[PORTAL_KEY_SIZE] = "not in any input, ever: 0123456";
	if (size == 0) {
		return 0;
	}
	uint8_t mode = data[0];
	enum portal_role role = (mode & 1) != 0 ? PORTAL_ROLE_CONTROLLER : PORTAL_ROLE_GUEST;
	struct fuzz fuzz = {.has_key = (mode & 2) != 0};
	const struct portal_channel_options options = {
		.role = role,
		.heap_fd = -1,
		.key = fuzz.has_key ? key : NULL,
		.queue_size = 1, /* the least */
	};
	struct memory_transport *transport = transport_new(mode);
	fuzz.channel = portal_channel_create(&transport->base, &options, &handlers, &fuzz);
	if (fuzz.channel == NULL) {
		return 0;
	}
	portal_channel_dispatch(fuzz.channel, POLLOUT);
	feed(transport, (enum depth)(mode >> 3 & 3), role, fuzz.has_key, data + 1, size - 1);
	if (transport->in_size > 16) { /* behind a preamble */
		decode_all(&fuzz, transport->in + 16, transport->in_size - 16);
	}
	while (transport->in_at < transport->in_size &&
		portal_channel_dispatch(fuzz.channel, POLLIN) == 0) {
	}
	portal_channel_destroy(fuzz.channel);
	volatile uint32_t sink = fuzz.sum;
	(void)sink;
	return 0;
}

size_t fuzz_record_end(const uint8_t *data, size_t size, size_t at) {
	size_t begin = at == 0 ? 1 : at;
	if (size < begin + 5 || (data[0] >> 3 & 3) != DEPTH_FRAMES) {
		return 0;
	}
	size_t length = (size_t)data[begin + 3] | (size_t)data[begin + 4] << 8;
	return length <= size - begin - 5 ? begin + 5 + length : 0;
}

void fuzz_record_repeat(uint8_t *record) {
	(void)record; /* as it is: its sequence number is made when it is fed */
}
