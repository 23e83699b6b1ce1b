/* The channel of one guest: its handlers, and its place in the loop. */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>
#include <unistd.h>

#include "bridge.h"
#include "broker.h"

static enum bridge_status status_of(const struct portal_channel_end *end, bool was_ready) {
	switch (end->reason) {
	case PORTAL_BYE_VIOLATION:
		/* Of the guest, or so the guest says of this end. */
		return BRIDGE_VIOLATION;
	case PORTAL_BYE_AUTH:
		return BRIDGE_KEY;
	case PORTAL_BYE_VERSION:
		return BRIDGE_VERSION;
	case PORTAL_BYE_COMPOSITOR:
		return BRIDGE_COMPOSITOR;
	case PORTAL_BYE_QUOTA:
		return BRIDGE_VIOLATION;
	case PORTAL_BYE_DONE:
	case PORTAL_BYE_REPLACED:
	case PORTAL_BYE_FAILURE:
		break;
	}
	if (!end->by_peer) {
		return BRIDGE_FAILURE;
	}
	return was_ready ? BRIDGE_LOST : BRIDGE_UNREACHABLE;
}

/* Why the end came, in the words of the log: who is at fault, and of what. */
static const char *fault_of(const struct portal_channel_end *end) {
	if (end->reason == PORTAL_BYE_VIOLATION) {
		return end->by_peer ? "the guest complains: " : "the guest broke the protocol: ";
	}
	return end->by_peer ? "the channel ended: " : "";
}

static void handle_closed(void *data, const struct portal_channel_end *end) {
	struct bridge *bridge = data;
	bridge_stop(bridge, status_of(end, bridge->heap_ready), "%s%s", fault_of(end), end->text);
}

/* The heap the agent's HELLO speaks of. False after ending the channel. */
static bool open_heap(struct bridge *bridge, const struct portal_hello *peer, int heap_fd) {
	const struct bridge_options *options = bridge->options;
	const char *error = "";
	int result;
	if (options->heap.kind == PORTAL_HEAP_MEMFD) {
		result = portal_heap_open(
			&bridge->heap, &options->heap, heap_fd, peer->heap.id, &error);
		bridge->heap_mapped = result == 0;
	} else {
		if (heap_fd >= 0) {
			close(heap_fd);
		}
		result = portal_heap_find_header(&bridge->heap, peer->heap.id, &error);
	}
	if (result < 0) {
		bridge_stop(bridge, BRIDGE_HEAP, "heap %s: %s", options->heap_text, error);
		return false;
	}
	bridge->heap_ready = true;
	return true;
}

static void log_ready(struct bridge *bridge, const struct portal_hello *peer) {
	const struct portal_heap *heap = &bridge->heap;
	bridge_log(&bridge->log, LOG_INFO,
		"%s at %s is ready; heap %s of %llu MiB, read at %u MB/s, written at %u MB/s by "
		"the "
		"guest",
		peer->software[0] != '\0' ? peer->software : "an agent",
		bridge->options->transport_text, bridge->options->heap_text,
		(unsigned long long)(heap->header.size >> 20), heap->read_speed,
		peer->heap.write_speed);
	if (bridge->shadow.heap && heap->read_speed < PORTAL_HEAP_SLOW_READ) {
		bridge_log(&bridge->log, LOG_WARNING,
			"the heap is slow to read (uncached): its pixels are copied once more; an "
			"nvdimm (dax:) is faster");
	}
}

/* A measurement that something disturbed shows too little, never too much. */
static void measure_heap(struct portal_heap *heap) {
	uint32_t best = 0;
	for (int tries = 0; tries < 5 && best < PORTAL_HEAP_SLOW_READ; tries++) {
		portal_heap_measure(heap, false);
		best = heap->read_speed > best ? heap->read_speed : best;
	}
	heap->read_speed = best;
}

static void handle_ready(void *data, const struct portal_hello *peer, int heap_fd) {
	struct bridge *bridge = data;
	if (!open_heap(bridge, peer, heap_fd)) {
		return;
	}
	measure_heap(&bridge->heap);
	if ((bridge->options->copy || bridge->heap.read_speed < PORTAL_HEAP_SLOW_READ) &&
		bridge_shadow_init(&bridge->shadow, &bridge->heap) < 0) {
		bridge_stop(bridge, BRIDGE_FAILURE, "no memory to copy the heap's pixels to: %s",
			strerror(errno));
		return;
	}
	portal_quota_init(&bridge->quota, (uint64_t)portal_heap_get_pool_size(&bridge->heap));
	bridge->status = BRIDGE_DONE;
	bridge->message[0] = '\0';
	log_ready(bridge, peer);
	bridge_broker_ready(bridge->broker_fd);
	bridge_control_changed(&bridge->control);
}

static void handle_writable(void *data) {
	struct bridge *bridge = data;
	bridge_connections_writable(&bridge->connections);
}

static void handle_connect(void *data, uint32_t connection, const char *untrusted_name) {
	struct bridge *bridge = data;
	bridge_connections_connect(&bridge->connections, connection, untrusted_name);
}

static void handle_disconnect(void *data, uint32_t connection, const char *untrusted_reason) {
	struct bridge *bridge = data;
	bridge_connections_disconnect(&bridge->connections, connection, untrusted_reason);
	bridge_control_changed(&bridge->control);
}

static void handle_wayland(
	void *data, uint32_t connection, const void *untrusted_messages, size_t size) {
	struct bridge *bridge = data;
	unsigned int before = bridge_connections_count_windows(&bridge->connections);
	bridge_connections_wayland(&bridge->connections, connection, untrusted_messages, size);
	if (bridge_connections_count_windows(&bridge->connections) != before) {
		bridge_control_changed(&bridge->control);
	}
}

static void handle_heap(void *data, uint32_t connection) {
	struct bridge *bridge = data;
	bridge_connections_heap(&bridge->connections, connection);
}

static void handle_blob(void *data, uint32_t connection, uint64_t untrusted_size,
	uint64_t untrusted_offset, const void *piece, size_t piece_size) {
	struct bridge *bridge = data;
	bridge_connections_blob(&bridge->connections, connection, untrusted_size, untrusted_offset,
		piece, piece_size);
}

static void handle_launched(void *data, uint32_t launch, int32_t pid, int32_t error) {
	struct bridge *bridge = data;
	bridge_launches_launched(&bridge->launches, launch, pid, error);
	bridge_control_changed(&bridge->control);
}

static void handle_exited(void *data, uint32_t launch, int32_t status, int32_t signal) {
	struct bridge *bridge = data;
	bridge_launches_exited(&bridge->launches, launch, status, signal);
	bridge_control_changed(&bridge->control);
}

static void take_stat(struct bridge *bridge, uint32_t key, uint64_t untrusted_value) {
	const uint64_t max = INT64_MAX; /* of a number in JSON */
	uint64_t value = untrusted_value < max ? untrusted_value : max;
	switch (key) {
	case PORTAL_STAT_HEAP_USED:
		if (value <= bridge->heap.header.size) {
			bridge->stats.heap_used = value;
		}
		break;
	case PORTAL_STAT_FRAMES:
		bridge->stats.frames = value;
		break;
	case PORTAL_STAT_DAMAGED_PIXELS:
		bridge->stats.damaged_pixels = value;
		break;
	case PORTAL_STAT_COPIED_PIXELS:
		bridge->stats.copied_pixels = value;
		break;
	default:
		break;
	}
}

static void handle_stats(
	void *data, const struct portal_frame_stat *untrusted_stats, size_t count) {
	for (size_t i = 0; i < count; i++) {
		take_stat(data, untrusted_stats[i].key, untrusted_stats[i].value);
	}
}

static const struct portal_channel_handlers handlers = {
	.ready = handle_ready,
	.closed = handle_closed,
	.writable = handle_writable,
	.connect = handle_connect,
	.disconnect = handle_disconnect,
	.wayland = handle_wayland,
	.heap = handle_heap,
	.blob = handle_blob,
	.launched = handle_launched,
	.exited = handle_exited,
	.stats = handle_stats,
};

static void handle_channel_events(void *data, short events) {
	struct bridge *bridge = data;
	if (bridge->channel_source) {
		sd_event_source_set_io_events(bridge->channel_source, (uint32_t)events);
	}
}

static int handle_channel(sd_event_source *source, int fd, uint32_t revents, void *data) {
	struct bridge *bridge = data;
	/* An end is told to handle_closed(). */
	(void)portal_channel_dispatch(bridge->channel, (short)revents);
	return 0;
}

int bridge_channel_open(struct bridge *bridge, struct portal_transport *transport) {
	struct portal_channel_options options = {
		.role = PORTAL_ROLE_CONTROLLER,
		.name = bridge->options->vm,
		.software = "portal-bridge " PORTAL_VERSION,
		.features = PORTAL_FEATURE_SHARED_HEAP,
		.heap_fd = -1,
		.key = bridge->options->has_key ? bridge->options->key : NULL,
	};
	if (getrandom(options.session, sizeof(options.session), 0) < 0) {
		return -1;
	}
	bridge->channel = portal_channel_create(transport, &options, &handlers, bridge);
	if (!bridge->channel) {
		return -1;
	}
	int result = sd_event_add_io(bridge->event, &bridge->channel_source,
		portal_channel_get_fd(bridge->channel),
		(uint32_t)portal_channel_get_events(bridge->channel), handle_channel, bridge);
	if (result < 0) {
		errno = -result;
		return -1;
	}
	portal_channel_set_events_handler(bridge->channel, handle_channel_events);
	return 0;
}

void bridge_channel_close(struct bridge *bridge) {
	bridge->channel_source = sd_event_source_disable_unref(bridge->channel_source);
	portal_channel_destroy(bridge->channel);
	bridge->channel = NULL;
}
