#include "connections.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "bridge.h"
#include "broker.h"
#include "relay.h"

/* Messages of the rate that a connection counts as: the compositor accepts, and makes a client of
 * it. */
#define CONNECT_COST 1000

/*
 * Connections that were refused wait for the guest to notice; more than this, and it never does. An
 * application can make its agent ask for as many as the agent has descriptors for, three each of
 * 1024, before the first answer comes: that is no fault of the guest's other applications.
 */
#define REFUSED_MAX 512

struct bridge_connection {
	struct bridge_connections *connections;
	uint32_t id;
	struct portal_relay *relay; /* NULL when it was refused */
	struct bridge_shadow_connection *shadow; /* NULL where there is none */
	bool disconnect_pending; /* refused, and the guest has not been told yet */
	sd_event_source *source; /* NULL once the socket is closed */
};

static_assert(
	POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLHUP == EPOLLHUP && POLLERR == EPOLLERR,
	"sd-event's events are poll's");

void bridge_connections_init(struct bridge_connections *connections, struct bridge *bridge) {
	*connections = (struct bridge_connections){.bridge = bridge};
}

static void connection_free(struct bridge_connection *connection) {
	sd_event_source_disable_unref(connection->source);
	portal_relay_destroy(connection->relay);
	bridge_shadow_connection_destroy(connection->shadow);
	free(connection);
}

void bridge_connections_finish(struct bridge_connections *connections) {
	for (size_t i = 0; i < connections->count; i++) {
		connection_free(connections->list[i]);
	}
	free(connections->list);
	bridge_connections_init(connections, connections->bridge);
}

static void connection_remove(struct bridge_connection *connection) {
	struct bridge_connections *connections = connection->connections;
	size_t i = 0;
	while (connections->list[i] != connection) {
		i++;
	}
	connections->list[i] = connections->list[--connections->count];
	connection_free(connection);
}

static struct bridge_connection *find(struct bridge_connections *connections, uint32_t id) {
	for (size_t i = 0; i < connections->count; i++) {
		if (connections->list[i]->id == id) {
			return connections->list[i];
		}
	}
	return NULL;
}

/* NULL, and the channel ended, when the guest has no such connection; NULL when it was refused. */
static struct portal_relay *find_relay(struct bridge_connections *connections, uint32_t id) {
	struct bridge_connection *connection = find(connections, id);
	if (!connection) {
		portal_channel_fail(connections->bridge->channel, PORTAL_BYE_VIOLATION,
			"a frame is for connection %u, which is not there", id);
		return NULL;
	}
	return connection->relay;
}

/* A connection's end is the guest's to bring about. */
static void log_connection(
	struct bridge *bridge, int priority, uint32_t id, const char *what, const char *text) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	bridge_log_guest(
		&bridge->log, (uint64_t)now.tv_sec, priority, "connection %u %s%s", id, what, text);
}

static void handle_ended(void *data, enum portal_relay_end end, const char *text) {
	struct bridge_connection *connection = data;
	struct bridge *bridge = connection->connections->bridge;
	uint32_t id = connection->id;
	connection->source = sd_event_source_disable_unref(connection->source);
	switch (end) {
	case PORTAL_RELAY_CHANNEL_VIOLATION:
		portal_channel_fail(bridge->channel, PORTAL_BYE_VIOLATION, "%s", text);
		break;
	case PORTAL_RELAY_QUOTA:
	case PORTAL_RELAY_OVERFLOW:
		log_connection(bridge, LOG_WARNING, id, "was cut: ", text);
		break;
	case PORTAL_RELAY_SOCKET_VIOLATION:
	case PORTAL_RELAY_FAILURE:
		log_connection(bridge, LOG_ERR, id, "was cut: ", text);
		break;
	case PORTAL_RELAY_SOCKET_CLOSED:
		log_connection(bridge, LOG_WARNING, id, "was closed by the compositor", "");
		break;
	case PORTAL_RELAY_DISCONNECTED:
		break;
	}
	bridge_control_changed(&bridge->control);
}

static void handle_released(void *data) {
	connection_remove(data);
}

static void handle_events(void *data, short events) {
	struct bridge_connection *connection = data;
	if (connection->source) {
		sd_event_source_set_io_events(connection->source, (uint32_t)events);
	}
}

static void handle_congested(void *data, bool congested) {
	struct bridge_connection *connection = data;
	struct bridge_connections *connections = connection->connections;
	connections->congested += congested ? 1 : -1;
	bridge_update_paused(connections->bridge);
}

static void handle_throttle(void *data, uint64_t nanoseconds) {
	struct bridge_connection *connection = data;
	bridge_throttle(connection->connections->bridge, nanoseconds);
}

static bool handle_request(
	void *data, const struct portal_wire_info *info, const void *message, size_t size) {
	struct bridge_connection *connection = data;
	return !connection->shadow ||
	       bridge_shadow_request(connection->shadow, info, message, size) == 0;
}

static const struct portal_relay_handlers handlers = {
	.ended = handle_ended,
	.released = handle_released,
	.events = handle_events,
	.congested = handle_congested,
	.request = handle_request,
	.throttle = handle_throttle,
};

static int handle_socket(sd_event_source *source, int fd, uint32_t revents, void *data) {
	struct bridge_connection *connection = data;
	portal_relay_dispatch(connection->relay, (short)revents);
	return 0;
}

static bool make_room(struct bridge_connections *connections) {
	if (connections->count < connections->capacity) {
		return true;
	}
	size_t capacity = connections->capacity ? connections->capacity * 2 : 8;
	struct bridge_connection **grown = realloc(connections->list, capacity * sizeof(*grown));
	if (!grown) {
		return false;
	}
	connections->list = grown;
	connections->capacity = capacity;
	return true;
}

static void send_refusal(struct bridge_connection *connection, const char *reason) {
	connection->disconnect_pending =
		portal_channel_send_disconnect(
			connection->connections->bridge->channel, connection->id, reason) < 0;
}

/* Opens the socket and its relay. Negative errno. */
static int connection_open(struct bridge_connection *connection) {
	struct bridge *bridge = connection->connections->bridge;
	struct portal_relay_options options = {
		.connection = connection->id,
		.fd = bridge_broker_connect(bridge->broker_fd),
		.channel = bridge->channel,
		.heap = bridge->shadow.heap ? &bridge->shadow.shown : &bridge->heap,
		.quota = &bridge->quota,
	};
	if (options.fd < 0) {
		return -errno;
	}
	if (bridge->shadow.heap) {
		connection->shadow = bridge_shadow_connection_create(&bridge->shadow);
		if (!connection->shadow) {
			close(options.fd);
			return -ENOMEM;
		}
	}
	connection->relay = portal_relay_create(&options, &handlers, connection);
	if (!connection->relay) {
		return -errno;
	}
	return sd_event_add_io(bridge->event, &connection->source,
		portal_relay_get_fd(connection->relay), EPOLLIN, handle_socket, connection);
}

static void spend_connect(struct bridge *bridge) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t wait = portal_quota_spend(&bridge->quota,
		(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec, CONNECT_COST);
	if (wait > 0) {
		bridge_throttle(bridge, wait);
	}
}

static size_t count_refused(const struct bridge_connections *connections) {
	size_t refused = 0;
	for (size_t i = 0; i < connections->count; i++) {
		refused += connections->list[i]->relay == NULL;
	}
	return refused;
}

void bridge_connections_connect(
	struct bridge_connections *connections, uint32_t id, const char *untrusted_name) {
	struct bridge *bridge = connections->bridge;
	struct bridge_connection *connection = NULL;
	if (find(connections, id)) {
		portal_channel_fail(bridge->channel, PORTAL_BYE_VIOLATION,
			"connection %u is there already", id);
		return;
	}
	spend_connect(bridge);
	if (make_room(connections)) {
		connection = calloc(1, sizeof(*connection));
	}
	if (!connection) {
		portal_channel_fail(bridge->channel, PORTAL_BYE_FAILURE, "out of memory");
		return;
	}
	connection->connections = connections;
	connection->id = id;
	connections->list[connections->count++] = connection;
	int result = connection_open(connection);
	if (result >= 0) {
		return;
	}
	const char *reason =
		result == -EDQUOT ? "the guest has its quota of connections" : strerror(-result);
	log_connection(bridge, LOG_WARNING, id, "was refused: ", reason);
	portal_relay_destroy(connection->relay);
	connection->relay = NULL;
	send_refusal(connection, reason);
	if (count_refused(connections) > REFUSED_MAX) {
		portal_channel_fail(bridge->channel, PORTAL_BYE_VIOLATION,
			"more than %d connections were refused and not given up", REFUSED_MAX);
	}
}

void bridge_connections_disconnect(
	struct bridge_connections *connections, uint32_t id, const char *untrusted_reason) {
	struct portal_relay *relay = find_relay(connections, id);
	struct bridge_connection *connection = find(connections, id);
	if (relay) {
		portal_relay_disconnect(relay, untrusted_reason);
	} else if (connection && !connection->disconnect_pending) {
		connection_remove(connection);
	}
}

static struct portal_relay *find_held(const struct bridge_connections *connections) {
	for (size_t i = 0; i < connections->count; i++) {
		struct portal_relay *relay = connections->list[i]->relay;
		if (relay && portal_relay_is_held(relay)) {
			return relay;
		}
	}
	return NULL;
}

void bridge_connections_resume(struct bridge_connections *connections) {
	struct portal_relay *relay;
	/* Each time may end a connection, and begin the next pause. */
	while (!connections->bridge->throttled && (relay = find_held(connections))) {
		portal_relay_resume(relay);
	}
}

void bridge_connections_wayland(struct bridge_connections *connections, uint32_t id,
	const void *untrusted_messages, size_t size) {
	struct portal_relay *relay = find_relay(connections, id);
	if (relay) {
		portal_relay_wayland(relay, untrusted_messages, size);
	}
}

void bridge_connections_heap(struct bridge_connections *connections, uint32_t id) {
	struct portal_relay *relay = find_relay(connections, id);
	if (relay) {
		portal_relay_heap(relay);
	}
}

void bridge_connections_blob(struct bridge_connections *connections, uint32_t id,
	uint64_t untrusted_size, uint64_t untrusted_offset, const void *piece, size_t piece_size) {
	struct portal_relay *relay = find_relay(connections, id);
	if (relay) {
		portal_relay_blob(relay, untrusted_size, untrusted_offset, piece, piece_size);
	}
}

void bridge_connections_writable(struct bridge_connections *connections) {
	/* Backwards: a connection that is released goes from the list, the last one in its place.
	 */
	for (size_t i = connections->count; i > 0; i--) {
		struct bridge_connection *connection = connections->list[i - 1];
		if (connection->relay) {
			portal_relay_writable(connection->relay);
		} else if (connection->disconnect_pending) {
			send_refusal(connection, "refused");
		}
	}
}

unsigned int bridge_connections_count_windows(const struct bridge_connections *connections) {
	unsigned int windows = 0;
	for (size_t i = 0; i < connections->count; i++) {
		if (connections->list[i]->relay) {
			windows += portal_relay_get_windows(connections->list[i]->relay);
		}
	}
	return windows;
}
