/*
 * A relay between two ends that may say anything, in any order and in any pieces: frames of the
 * channel on one side, bytes and descriptors of the socket on the other. The first byte's lowest
 * bit chooses the guest's relay, else the controller's. Then records of four bytes, kind, argument
 * and length (little-endian), with so many bytes behind them: w	WAYLAND frame h	HEAP
 * descriptor b	BLOB of 256 times argument bytes, as many as follow being its next piece d
 *	DISCONNECT s	bytes on the socket; argument descriptors with them, the odd ones the heap
 *	r	read from the socket's other end, all there is
 *	f	fill the channel, whose other end reads nothing any more
 *	g	it reads again
 */
#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel.h"
#include "heap.h"
#include "mutator.h"
#include "quota.h"
#include "relay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Made once: what they hold does not depend on the input. */
struct world {
	struct portal_channel *ends[2]; /* controller, guest */
	struct portal_heap heap;
	int other_fd; /* a descriptor that is not the heap */
};

struct run {
	const struct world *world;
	struct portal_relay *relay;
	struct portal_quota quota;
	int guest, socket; /* the relay's role, its other end */
	uint64_t blob_at;
	bool full; /* the channel is, and stays so */
	bool ended, released;
};

static void handle_ended(void *data, enum portal_relay_end end, const char *text) {
	struct run *run = data;
	assert(!run->ended);
	run->ended = true;
	for (; *text != '\0'; text++) {
		assert(*text >= ' ' && *text <= '~');
	}
}

static void handle_released(void *data) {
	struct run *run = data;
	assert(run->ended && !run->released);
	run->released = true;
	portal_relay_destroy(run->relay);
	run->relay = NULL;
}

/* No time passes here: it is resumed at once. */
static void handle_throttle(void *data, uint64_t nanoseconds) {
}

static const struct portal_relay_handlers handlers = {
	.ended = handle_ended,
	.released = handle_released,
	.throttle = handle_throttle,
};

static void turn(struct portal_channel *channel) {
	struct pollfd pollfd = {
		portal_channel_get_fd(channel),
		portal_channel_get_events(channel),
		0,
	};
	if (poll(&pollfd, 1, 0) > 0) {
		portal_channel_dispatch(channel, pollfd.revents);
	}
	portal_channel_flush(channel);
}

/* What the relay sends is thrown away at the channel's other end: it has no handlers. */
static void drain(const struct world *world) {
	do {
		for (int i = 0; i < 4; i++) {
			turn(world->ends[0]);
			turn(world->ends[1]);
		}
	} while (portal_channel_get_queued(world->ends[0]) > 0 ||
		 portal_channel_get_queued(world->ends[1]) > 0);
	assert(portal_channel_get_state(world->ends[0]) == PORTAL_CHANNEL_READY);
}

static void make_world(struct world *world) {
	static const struct portal_channel_handlers none;
	struct portal_heap_address heap = {.kind = PORTAL_HEAP_MEMFD, .size = 4 << 20};
	struct portal_transport_address address = {.kind = PORTAL_TRANSPORT_UNIX, .path = "/fuzz"};
	int fds[2],
		result = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds);
	assert(result == 0);
	result = portal_heap_create(&world->heap, &heap, NULL);
	assert(result == 0);
	world->other_fd = memfd_create("other", MFD_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		struct portal_channel_options options = {
			.role = i == 0 ? PORTAL_ROLE_CONTROLLER : PORTAL_ROLE_GUEST,
			.heap_fd = -1,
		};
		struct portal_transport *transport = portal_transport_from_socket(fds[i], &address);
		assert(transport);
		world->ends[i] = portal_channel_create(transport, &options, &none, NULL);
		assert(world->ends[i]);
	}
	drain(world);
}

static void send_on_socket(struct run *run, uint8_t n_fds, const uint8_t *bytes, size_t size) {
	int fds[28];
	union {
		char bytes[CMSG_SPACE(sizeof(fds))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iovec = {.iov_base = (void *)bytes, .iov_len = size};
	struct msghdr message = {.msg_iov = &iovec, .msg_iovlen = 1};
	n_fds = n_fds % 28;
	for (int i = 0; i < n_fds; i++) {
		fds[i] = i % 2 == 1 ? run->world->heap.fd : run->world->other_fd;
	}
	if (n_fds > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(header), fds, n_fds * sizeof(int));
	}
	if (size > 0) {
		(void)!sendmsg(run->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
}

static void read_socket(struct run *run) {
	static uint8_t bytes[65536];
	while (recv(run->socket, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
	}
}

static void dispatch(struct run *run) {
	struct pollfd pollfd = {
		portal_relay_get_fd(run->relay),
		portal_relay_get_events(run->relay),
		0,
	};
	if (pollfd.fd >= 0 && poll(&pollfd, 1, 0) > 0) {
		portal_relay_dispatch(run->relay, pollfd.revents);
	}
}

/* Frames of another connection, which its end throws away. */
static void fill_channel(struct run *run) {
	static const uint8_t bytes[32768];
	struct portal_channel *channel = run->world->ends[run->guest];
	for (size_t size = sizeof(bytes); size >= 8; size /= 2) {
		while (portal_channel_send_wayland(channel, 2, bytes, size) == 0) {
		}
	}
	run->full = true;
}

static void play(
	struct run *run, uint8_t kind, uint8_t argument, const uint8_t *bytes, size_t size) {
	char text[64] = {0};
	switch (kind) {
	case 'w':
		portal_relay_wayland(run->relay, bytes, size);
		while (run->relay && portal_relay_is_held(run->relay)) {
			portal_relay_resume(run->relay);
		}
		break;
	case 'h':
		portal_relay_heap(run->relay);
		break;
	case 'b':
		portal_relay_blob(run->relay, argument * 256u, run->blob_at, bytes, size);
		run->blob_at = run->blob_at + size >= argument * 256u ? 0 : run->blob_at + size;
		break;
	case 'd':
		memcpy(text, bytes, size < sizeof(text) - 1 ? size : sizeof(text) - 1);
		portal_relay_disconnect(run->relay, text);
		break;
	case 's':
		send_on_socket(run, argument, bytes, size);
		break;
	case 'r':
		read_socket(run);
		break;
	case 'f':
		fill_channel(run);
		break;
	case 'g':
		run->full = false;
		break;
	default:
		break;
	}
}

static void play_all(struct run *run, const uint8_t *data, size_t size) {
	size_t at = 1;
	while (size - at >= 4 && run->relay) {
		size_t length = data[at + 2] | (size_t)data[at + 3] << 8;
		const uint8_t *bytes = data + at + 4;
		length = length < size - at - 4 ? length : size - at - 4;
		play(run, data[at], data[at + 1], bytes, length);
		at += 4 + length;
		if (run->relay) {
			dispatch(run);
		}
		if (!run->full) {
			drain(run->world);
		}
		if (run->relay && !run->full) {
			portal_relay_writable(run->relay);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct world world;
	if (!world.ends[0]) {
		make_world(&world);
	}
	if (size < 1) {
		return 0;
	}
	int fds[2], guest = data[0] & 1;
	struct run run = {.world = &world, .guest = guest};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) {
		abort(); /* descriptors have leaked */
	}
	run.socket = fds[0];
	portal_quota_init(&run.quota, 4 << 20);
	/* Always over its rate, whatever the clock says. */
	run.quota.messages_per_second = 1;
	run.quota.burst = run.quota.tokens = 0;
	struct portal_relay_options options = {
		.guest = guest,
		.connection = 1,
		.name = "fuzz",
		.fd = fds[1],
		.channel = world.ends[guest],
		.heap = &world.heap,
		.quota = guest ? NULL : &run.quota,
		.backlog_max = 65536,
	};
	run.relay = portal_relay_create(&options, &handlers, &run);
	if (run.relay) {
		play_all(&run, data, size);
	}
	portal_relay_destroy(run.relay);
	close(run.socket);
	drain(&world);
	return 0;
}

size_t fuzz_record_end(const uint8_t *data, size_t size, size_t at) {
	size_t begin = at == 0 ? 1 : at;
	if (size < begin + 4) {
		return 0;
	}
	size_t length = data[begin + 2] | (size_t)data[begin + 3] << 8;
	return length <= size - begin - 4 ? begin + 4 + length : 0;
}

void fuzz_record_repeat(uint8_t *record) {
	(void)record; /* as it is: nothing in it counts */
}
