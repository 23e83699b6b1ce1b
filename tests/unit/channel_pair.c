#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel_pair.h"

__attribute__((format(printf, 2, 3))) static void note(
	struct channel_end *end, const char *format, ...) {
	va_list args;
	va_start(args, format);
	size_t left = sizeof(end->log) - end->log_size;
	int length = vsnprintf(end->log + end->log_size, left, format, args);
	va_end(args);
	if (length > 0 && (size_t)length < left) {
		end->log_size += (size_t)length;
	}
}

static void handle_ready(void *data, const struct portal_hello *peer, int heap_fd) {
	struct channel_end *end = data;
	end->ready_count++;
	end->heap_fd = heap_fd;
	note(end, "ready %s\n", peer->name);
}

static void handle_closed(void *data, const struct portal_channel_end *ending) {
	struct channel_end *end = data;
	end->closed_count++;
	end->closed_reason = ending->reason;
	end->closed_by_peer = ending->by_peer;
	snprintf(end->closed_text, sizeof(end->closed_text), "%s", ending->text);
}

static void handle_writable(void *data) {
	((struct channel_end *)data)->writable_count++;
}

static void handle_connect(void *data, uint32_t connection, const char *name) {
	note(data, "connect %u %s\n", connection, name);
}

static void handle_disconnect(void *data, uint32_t connection, const char *reason) {
	note(data, "disconnect %u %s\n", connection, reason);
}

static void handle_wayland(void *data, uint32_t connection, const void *messages, size_t size) {
	struct channel_end *end = data;
	assert_int_equal((uintptr_t)messages % 8, 0);
	end->wayland_bytes += size;
	note(end, "wayland %u %zu %02x\n", connection, size, *(const uint8_t *)messages);
	if (end->destroy_on_wayland) {
		portal_channel_destroy(end->channel);
		end->channel = NULL;
	}
}

static void handle_heap(void *data, uint32_t connection) {
	note(data, "heap %u\n", connection);
}

static void handle_blob(void *data, uint32_t connection, uint64_t size, uint64_t offset,
	const void *piece, size_t piece_size) {
	struct channel_end *end = data;
	if (offset == 0) {
		free(end->blob);
		end->blob = malloc(size + 1);
		end->blob_size = size;
	}
	assert_non_null(end->blob);
	assert_true(offset + piece_size <= end->blob_size);
	memcpy(end->blob + offset, piece, piece_size);
	note(end, "blob %u %zu\n", connection, (size_t)size);
}

static void handle_pipe(
	void *data, uint32_t connection, uint32_t pipe, enum portal_pipe_direction direction) {
	note(data, "pipe %u %u %d\n", connection, pipe, (int)direction);
}

static void handle_pipe_data(void *data, uint32_t pipe, const void *bytes, size_t size, bool end) {
	note(data, "data %u %.*s%s\n", pipe, (int)size, (const char *)bytes, end ? " end" : "");
}

static void handle_pipe_credit(void *data, uint32_t pipe, uint32_t bytes) {
	note(data, "credit %u %u\n", pipe, bytes);
}

static void handle_pipe_close(void *data, uint32_t pipe) {
	note(data, "close %u\n", pipe);
}

static void handle_launch(
	void *data, uint32_t launch, const char *const *argv, const char *const *envp) {
	note(data, "launch %u", launch);
	for (; *argv != NULL; argv++) {
		note(data, " [%s]", *argv);
	}
	for (; *envp != NULL; envp++) {
		note(data, " {%s}", *envp);
	}
	note(data, "\n");
}

static void handle_launched(void *data, uint32_t launch, int32_t pid, int32_t error) {
	note(data, "launched %u %d %d\n", launch, pid, error);
}

static void handle_exited(void *data, uint32_t launch, int32_t status, int32_t signal) {
	note(data, "exited %u %d %d\n", launch, status, signal);
}

static void handle_signal(void *data, uint32_t launch, int32_t signal) {
	note(data, "signal %u %d\n", launch, signal);
}

static void handle_call(void *data, uint32_t call, const struct portal_frame_call *untrusted_call,
	const char *guest) {
	note(data, "call %u %u %u %u [%s]\n", call, untrusted_call->method, untrusted_call->flags,
		(unsigned int)untrusted_call->value, guest);
}

static void handle_answer(void *data, uint32_t call, uint32_t error,
	const struct portal_frame_guest *guests, size_t count, const char *text) {
	note(data, "answer %u %u [%s]", call, error, text);
	for (size_t i = 0; i < count; i++) {
		note(data, " %s %u %u", guests[i].name, guests[i].state,
			(unsigned int)guests[i].heap_size);
	}
	note(data, "\n");
}

static void handle_stats(void *data, const struct portal_frame_stat *stats, size_t count) {
	for (size_t i = 0; i < count; i++) {
		note(data, "stat %u %u\n", stats[i].key, (unsigned int)stats[i].value);
	}
}

static void handle_heap_data(
	void *data, const struct portal_frame_heap_data *header, const void *pixels, size_t size) {
	note(data, "heap data %u %zu\n", header->rows, size);
}

const struct portal_channel_handlers channel_end_handlers = {
	.ready = handle_ready,
	.closed = handle_closed,
	.writable = handle_writable,
	.connect = handle_connect,
	.disconnect = handle_disconnect,
	.wayland = handle_wayland,
	.heap = handle_heap,
	.blob = handle_blob,
	.pipe = handle_pipe,
	.pipe_data = handle_pipe_data,
	.pipe_credit = handle_pipe_credit,
	.pipe_close = handle_pipe_close,
	.heap_data = handle_heap_data,
	.launch = handle_launch,
	.launched = handle_launched,
	.exited = handle_exited,
	.signal = handle_signal,
	.call = handle_call,
	.answer = handle_answer,
	.stats = handle_stats,
};

struct portal_channel_options channel_end_options(enum portal_role role, const uint8_t *key) {
	return (struct portal_channel_options){
		.role = role,
		.name = role == PORTAL_ROLE_GUEST ? "the-guest" : "the-controller",
		.software = "test 1",
		.session = {1, 2, 3},
		.features = PORTAL_FEATURE_SHARED_HEAP,
		.heap_fd = -1,
		.key = key,
	};
}

void channel_end_init(struct channel_end *end, int fd, const char *address,
	const struct portal_channel_options *options) {
	struct portal_transport_address parsed;
	assert_int_equal(portal_transport_parse(&parsed, address, NULL), 0);
	*end = (struct channel_end){.role = options->role, .heap_fd = -1};
	struct portal_transport *transport = portal_transport_from_socket(fd, &parsed);
	assert_non_null(transport);
	end->channel = portal_channel_create(transport, options, &channel_end_handlers, end);
	assert_non_null(end->channel);
}

void channel_end_finish(struct channel_end *end) {
	portal_channel_destroy(end->channel);
	if (end->heap_fd >= 0) {
		close(end->heap_fd);
	}
	free(end->blob);
	*end = (struct channel_end){.heap_fd = -1};
}

void channel_pair_init(struct channel_pair *pair, const char *address,
	const struct portal_channel_options *controller,
	const struct portal_channel_options *guest) {
	int fds[2];
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	channel_end_init(&pair->controller, fds[0], address, controller);
	channel_end_init(&pair->guest, fds[1], address, guest);
}

void channel_pair_finish(struct channel_pair *pair) {
	channel_end_finish(&pair->controller);
	channel_end_finish(&pair->guest);
}

static bool turn(struct channel_end *end) {
	if (end->channel == NULL ||
		portal_channel_get_state(end->channel) == PORTAL_CHANNEL_CLOSED) {
		return false;
	}
	uint64_t before = portal_channel_get_counters(end->channel).bytes_sent;
	portal_channel_flush(end->channel);
	if (portal_channel_get_state(end->channel) == PORTAL_CHANNEL_CLOSED) {
		return true;
	}
	bool wrote = portal_channel_get_counters(end->channel).bytes_sent > before;
	struct pollfd pollfd = {
		.fd = portal_channel_get_fd(end->channel),
		.events = portal_channel_get_events(end->channel),
	};
	if (poll(&pollfd, 1, 0) <= 0) {
		return wrote;
	}
	portal_channel_dispatch(end->channel, pollfd.revents);
	return true;
}

void channel_end_settle(struct channel_end *end) {
	while (turn(end)) {
	}
}

void channel_pair_settle(struct channel_pair *pair) {
	bool worked;
	do {
		worked = turn(&pair->controller);
		worked |= turn(&pair->guest);
	} while (worked);
}
