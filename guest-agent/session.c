#include "session.h"
#include "agent.h"
#include "controller-channel.h"
#include "event_mask.h"
#include "launch.h"
#include "link.h"
#include <channel.h>
#include <errno.h>
#include <heap_alloc.h>
#include <relay.h>
#include <stdlib.h>
#include <string.h>
#include <transport.h>
#include <unistd.h>
#include <wlr/util/log.h>

static struct link *find_link(struct session *session, uint32_t connection) {
	struct link *link;
	wl_list_for_each (link, &session->links, link) {
		if (link->connection == connection) {
			return link;
		}
	}
	portal_channel_fail(session->channel, PORTAL_BYE_VIOLATION,
		"a frame for connection %u, which there is not", connection);
	return NULL;
}

/* The channel's handlers */

static void handle_ready(void *data, const struct portal_hello *peer, int heap_fd) {
	struct session *session = data;

	if (heap_fd >= 0) {
		close(heap_fd); // the heap is the guest's
	}
	uint8_t boot_id[16];
	session->same_kernel = portal_hello_get_boot_id(boot_id) == 0 &&
			       memcmp(boot_id, peer->boot_id, sizeof(boot_id)) == 0;
	session->ready = true;
	wlr_log(WLR_INFO, "controller \"%s\" (%s), channel version %u", peer->name, peer->software,
		portal_channel_get_version(session->channel));
	channel_controller_ready(session->controller, session);
}

static void handle_closed(void *data, const struct portal_channel_end *end) {
	struct session *session = data;

	bool expected = end->reason == PORTAL_BYE_DONE || end->reason == PORTAL_BYE_REPLACED;

	wlr_log(expected ? WLR_INFO : WLR_ERROR, "channel closed%s: %s",
		end->by_peer ? " by the controller" : "", end->text);
	channel_controller_closed(session->controller, session);
}

static void handle_writable(void *data) {
	struct session *session = data;
	struct link *link, *tmp;
	wl_list_for_each_safe (link, tmp, &session->links, link) {
		portal_relay_writable(link->relay);
	}
	launch_report(session);
}

static void handle_disconnect(void *data, uint32_t connection, const char *reason) {
	struct link *link = find_link(data, connection);
	if (link != NULL) {
		portal_relay_disconnect(link->relay, reason);
	}
}

static void handle_wayland(void *data, uint32_t connection, const void *messages, size_t size) {
	struct link *link = find_link(data, connection);
	if (link != NULL) {
		portal_relay_wayland(link->relay, messages, size);
		link->delivered = true;
	}
}

static void handle_heap(void *data, uint32_t connection) {
	struct link *link = find_link(data, connection);
	if (link != NULL) {
		portal_relay_heap(link->relay);
	}
}

static void handle_blob(void *data, uint32_t connection, uint64_t size, uint64_t offset,
	const void *piece, size_t piece_size) {
	struct link *link = find_link(data, connection);
	if (link != NULL) {
		portal_relay_blob(link->relay, size, offset, piece, piece_size);
	}
}

static void handle_launch(
	void *data, uint32_t launch, const char *const *argv, const char *const *envp) {
	struct session *session = data;
	launch_start(session, launch, argv, envp);
}

static void handle_signal(void *data, uint32_t launch, int32_t number) {
	struct session *session = data;
	launch_signal(session, launch, number);
}

/* Left out when there is no room: they are asked for again, or change again. */
static void send_stats(struct session *session) {
	struct agent *agent = session->controller->base.agent;
	size_t heap_used = portal_heap_alloc_get_used(agent->heap_alloc);
	const struct portal_frame_stat stats[] = {
		{.key = PORTAL_STAT_COMMITS, .value = agent->stats.commits_in},
		{.key = PORTAL_STAT_FRAMES, .value = agent->stats.commits_out},
		{.key = PORTAL_STAT_DAMAGED_PIXELS, .value = agent->stats.pixels_damaged},
		{.key = PORTAL_STAT_COPIED_PIXELS, .value = agent->stats.pixels_copied},
		{.key = PORTAL_STAT_HEAP_USED, .value = heap_used},
	};
	if (portal_channel_send_stats(session->channel, stats, sizeof(stats) / sizeof(stats[0])) ==
		0) {
		session->heap_told = heap_used;
	}
}

static void handle_stats(void *data, const struct portal_frame_stat *stats, size_t count) {
	if (count == 0) {
		send_stats(data);
	}
}

static const struct portal_channel_handlers channel_handlers = {
	.ready = handle_ready,
	.closed = handle_closed,
	.writable = handle_writable,
	.disconnect = handle_disconnect,
	.wayland = handle_wayland,
	.heap = handle_heap,
	.blob = handle_blob,
	.launch = handle_launch,
	.signal = handle_signal,
	.stats = handle_stats,
};

/* The event loop */

static void handle_events(void *data, short events) {
	struct session *session = data;
	if (session->source != NULL) {
		wl_event_source_fd_update(session->source, event_mask_of_poll(events));
	}
}

static int handle_stream(int fd, uint32_t mask, void *data) {
	struct session *session = data;
	if (!session->closed) {
		portal_channel_dispatch(session->channel, event_mask_to_poll(mask));
	}
	agent_read_delivered(session->controller->base.agent);
	return 0;
}

void session_flush(struct session *session) {
	if (!session->closed) {
		struct agent *agent = session->controller->base.agent;
		if (session->ready &&
			session->heap_told != portal_heap_alloc_get_used(agent->heap_alloc)) {
			send_stats(session);
		}
		portal_channel_flush(session->channel);
	}
}

int session_open(struct session *session, const char *name, struct link **link) {
	// Numbers are not used again: 2^32 programs are more than a session sees.
	return link_create(session, session->next_connection++, name, link);
}

struct session *session_create(
	struct channel_controller *controller, struct portal_transport *transport) {
	struct agent *agent = controller->base.agent;
	struct session *session = calloc(1, sizeof(*session));

	if (session == NULL) {
		portal_transport_destroy(transport);
		return NULL;
	}
	struct portal_channel_options options = {
		.role = PORTAL_ROLE_GUEST,
		.name = controller->name,
		.software = "portal-agent " PORTAL_VERSION,
		.features = PORTAL_FEATURE_SHARED_HEAP,
		.heap =
			{
				.size = agent->heap.header.size,
				.kind = agent->heap.kind,
				.read_speed = agent->heap.read_speed,
				.write_speed = agent->heap.write_speed,
			},
		.heap_fd = agent->heap.kind == PORTAL_HEAP_MEMFD ? agent->heap.fd : -1,
		.key = controller->has_key ? controller->key : NULL,
	};
	memcpy(options.heap.id, agent->heap.header.id, sizeof(options.heap.id));
	memcpy(options.session, controller->session_id, sizeof(options.session));

	session->controller = controller;
	session->next_connection = 1;
	wl_list_init(&session->links);
	session->channel = portal_channel_create(transport, &options, &channel_handlers, session);
	if (session->channel == NULL) {
		free(session);
		return NULL;
	}
	session->source = wl_event_loop_add_fd(agent->loop, portal_channel_get_fd(session->channel),
		event_mask_of_poll(portal_channel_get_events(session->channel)), handle_stream,
		session);
	if (session->source == NULL) {
		portal_channel_destroy(session->channel);
		free(session);
		return NULL;
	}
	portal_channel_set_events_handler(session->channel, handle_events);
	wl_list_insert(&controller->sessions, &session->link);
	return session;
}

void session_destroy(struct session *session) {
	struct link *link, *tmp;

	launch_forget(session);
	wl_list_for_each_safe (link, tmp, &session->links, link) {
		link_destroy(link);
	}
	wl_event_source_remove(session->source);
	portal_channel_destroy(session->channel);
	wl_list_remove(&session->link);
	free(session);
}
