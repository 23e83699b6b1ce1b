#include "relay_fixture.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptors.h"

static void handle_ended(void *data, enum portal_relay_end reason, const char *text) {
	struct end *end = data;
	assert_false(end->ended);
	end->ended = true;
	end->end = reason;
	snprintf(end->text, sizeof(end->text), "%s", text);
}

static void handle_released(void *data) {
	struct end *end = data;
	assert_true(end->ended);
	assert_false(end->released);
	end->released = true;
}

static void handle_congested(void *data, bool congested) {
	struct end *end = data;
	assert_int_not_equal(end->congested, congested);
	end->congested = congested;
	portal_channel_set_paused(end->channel, congested);
}

static void handle_throttle(void *data, uint64_t nanoseconds) {
	struct end *end = data;
	assert_true(nanoseconds > 0);
	end->throttled++;
}

static const struct portal_relay_handlers relay_handlers = {
	.ended = handle_ended,
	.released = handle_released,
	.congested = handle_congested,
	.throttle = handle_throttle,
};

static void handle_closed(void *data, const struct portal_channel_end *channel_end) {
	struct end *end = data;
	end->bye = channel_end->reason;
}

static void handle_writable(void *data) {
	struct end *end = data;
	if (end->relay) {
		portal_relay_writable(end->relay);
	}
}

static void handle_connect(void *data, uint32_t connection, const char *name) {
	assert_int_equal(connection, CONNECTION);
	assert_string_equal(name, "test-client");
}

static void handle_disconnect(void *data, uint32_t connection, const char *reason) {
	struct end *end = data;
	if (end->relay) {
		portal_relay_disconnect(end->relay, reason);
	}
}

static void handle_wayland(void *data, uint32_t connection, const void *messages, size_t size) {
	struct end *end = data;
	if (end->relay) {
		portal_relay_wayland(end->relay, messages, size);
	}
}

static void handle_heap(void *data, uint32_t connection) {
	struct end *end = data;
	portal_relay_heap(end->relay);
}

static void handle_blob(void *data, uint32_t connection, uint64_t size, uint64_t offset,
	const void *piece, size_t piece_size) {
	struct end *end = data;
	portal_relay_blob(end->relay, size, offset, piece, piece_size);
}

static const struct portal_channel_handlers channel_handlers = {
	.closed = handle_closed,
	.writable = handle_writable,
	.connect = handle_connect,
	.disconnect = handle_disconnect,
	.wayland = handle_wayland,
	.heap = handle_heap,
	.blob = handle_blob,
};

static void socket_pair(int fds[2]) {
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
}

static void start_channel(struct fixture *fixture, struct end *end, int fd, enum portal_role role) {
	struct portal_transport_address address;
	assert_int_equal(portal_transport_parse(&address, "unix:/test", NULL), 0);
	struct portal_transport *transport = portal_transport_from_socket(fd, &address);
	assert_non_null(transport);
	struct portal_channel_options options = {
		.role = role,
		.name = "test",
		.software = "test",
		.heap_fd = -1,
		.queue_size = fixture->queue_size,
	};
	end->fixture = fixture;
	end->channel = portal_channel_create(transport, &options, &channel_handlers, end);
	assert_non_null(end->channel);
}

static void start_heaps(struct fixture *fixture) {
	struct portal_heap_address address;
	struct portal_heap *guest = &fixture->guest.heap, *controller = &fixture->controller.heap;
	assert_int_equal(portal_heap_parse(&address, "memfd:4M", NULL), 0);
	assert_int_equal(portal_heap_create(guest, &address, NULL), 0);
	assert_int_equal(portal_heap_parse(&address, "memfd:", NULL), 0);
	assert_int_equal(
		portal_heap_open(controller, &address, dup(guest->fd), guest->header.id, NULL), 0);
}

static void handle_server_client_destroy(struct wl_listener *listener, void *data) {
	struct fixture *fixture = wl_container_of(listener, fixture, server_client_destroy);
	fixture->server_client = NULL;
	fixture->server.pointer = fixture->server.keyboard = NULL;
}

static void start_controller(struct fixture *fixture) {
	int fds[2];
	socket_pair(fds);
	fixture->server_client = wl_client_create(fixture->server.display, fds[0]);
	assert_non_null(fixture->server_client);
	fixture->server_client_destroy.notify = handle_server_client_destroy;
	wl_client_add_destroy_listener(fixture->server_client, &fixture->server_client_destroy);
	struct end *end = &fixture->controller;
	struct portal_relay_options options = {
		.connection = CONNECTION,
		.fd = fds[1],
		.channel = end->channel,
		.heap = &end->heap,
		.quota = &fixture->quota,
		.backlog_max = fixture->backlog_max,
	};
	end->relay = portal_relay_create(&options, &relay_handlers, end);
	assert_non_null(end->relay);
}

static void start_guest(struct fixture *fixture) {
	int fds[2];
	socket_pair(fds);
	fixture->client = wl_display_connect_to_fd(fds[0]);
	assert_non_null(fixture->client);
	struct end *end = &fixture->guest;
	struct portal_relay_options options = {
		.guest = true,
		.connection = CONNECTION,
		.name = "test-client",
		.fd = fds[1],
		.channel = end->channel,
		.heap = &end->heap,
	};
	end->relay = portal_relay_create(&options, &relay_handlers, end);
	assert_non_null(end->relay);
}

void fixture_start(struct fixture *fixture, bool with_client) {
	int fds[2];
	socket_pair(fds);
	start_heaps(fixture);
	start_channel(fixture, &fixture->guest, fds[0], PORTAL_ROLE_GUEST);
	start_channel(fixture, &fixture->controller, fds[1], PORTAL_ROLE_CONTROLLER);
	fixture_settle(fixture);
	assert_int_equal(portal_channel_get_state(fixture->guest.channel), PORTAL_CHANNEL_READY);
	portal_quota_init(&fixture->quota, 4 << 20);
	start_controller(fixture);
	if (with_client) {
		start_guest(fixture);
	}
}

static short poll_now(int fd, short events) {
	struct pollfd pollfd = {.fd = fd, .events = events};
	return fd >= 0 && poll(&pollfd, 1, 0) > 0 ? pollfd.revents : 0;
}

static bool turn_end(struct end *end) {
	bool moved = false;
	if (!end->channel || end->idle) {
		return false;
	}
	if (end->relay && portal_relay_is_held(end->relay) && !end->waits) {
		portal_relay_resume(end->relay);
		moved = true;
	}
	if (end->bye == 0) {
		short revents = poll_now(portal_channel_get_fd(end->channel),
			portal_channel_get_events(end->channel));
		if (revents != 0) {
			portal_channel_dispatch(end->channel, revents);
			moved = true;
		}
	}
	if (end->relay) {
		short revents = poll_now(
			portal_relay_get_fd(end->relay), portal_relay_get_events(end->relay));
		if (revents != 0) {
			portal_relay_dispatch(end->relay, revents);
			moved = true;
		}
	}
	if (end->bye == 0) {
		portal_channel_flush(end->channel);
	}
	return moved;
}

static bool turn_server(struct fixture *fixture) {
	if (fixture->server_idle) {
		return false;
	}
	struct wl_event_loop *loop = wl_display_get_event_loop(fixture->server.display);
	wl_display_flush_clients(fixture->server.display);
	bool moved = poll_now(wl_event_loop_get_fd(loop), POLLIN) != 0;
	wl_event_loop_dispatch(loop, 0);
	wl_display_flush_clients(fixture->server.display);
	return moved;
}

static bool turn_client(struct fixture *fixture) {
	if (!fixture->client) {
		return false;
	}
	wl_display_flush(fixture->client);
	if (poll_now(wl_display_get_fd(fixture->client), POLLIN) == 0) {
		return false;
	}
	/*
	 * Not wl_display_dispatch(), which waits when all it reads is for destroyed objects. What
	 * ended the connection is for wl_display_get_error() to say.
	 */
	while (wl_display_prepare_read(fixture->client) < 0) {
		wl_display_dispatch_pending(fixture->client);
	}
	return wl_display_read_events(fixture->client) >= 0 &&
	       wl_display_dispatch_pending(fixture->client) >= 0;
}

void fixture_settle(struct fixture *fixture) {
	/* What one turn writes shows as readable in the next. */
	for (int still = 0; still < 2; still++) {
		bool moved = turn_end(&fixture->guest);
		moved |= turn_end(&fixture->controller);
		moved |= turn_server(fixture);
		moved |= turn_client(fixture);
		if (moved) {
			still = -1;
		}
	}
}

static void handle_done(void *data, struct wl_callback *callback, uint32_t number) {
	*(bool *)data = true;
	wl_callback_destroy(callback);
}

int fixture_roundtrip(struct fixture *fixture) {
	static const struct wl_callback_listener listener = {.done = handle_done};
	bool done = false;
	struct wl_callback *callback = wl_display_sync(fixture->client);
	wl_callback_add_listener(callback, &listener, &done);
	fixture_settle(fixture);
	if (!done) {
		wl_callback_destroy(callback);
	}
	return done ? 0 : -1;
}

int fixture_setup(void **state) {
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	assert_non_null(fixture);
	fixture->fds_before = descriptors_count();
	test_server_init(&fixture->server);
	*state = fixture;
	return 0;
}

static void end_finish(struct end *end) {
	portal_relay_destroy(end->relay);
	portal_channel_destroy(end->channel);
	portal_heap_finish(&end->heap);
}

int fixture_teardown(void **state) {
	struct fixture *fixture = *state;
	if (fixture->client) {
		wl_display_disconnect(fixture->client);
	}
	end_finish(&fixture->guest);
	end_finish(&fixture->controller);
	test_server_finish(&fixture->server);
	for (unsigned int kind = 0; kind < PORTAL_QUOTA_KINDS; kind++) {
		assert_int_equal(fixture->quota.used[kind], 0);
	}
	assert_int_equal(descriptors_count(), fixture->fds_before);
	free(fixture);
	return 0;
}
