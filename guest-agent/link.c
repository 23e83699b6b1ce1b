#include "link.h"
#include "agent.h"
#include "controller-channel.h"
#include "event_mask.h"
#include "session.h"
#include <channel.h>
#include <errno.h>
#include <poll.h>
#include <relay.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wlr/util/log.h>

static void set_congested(struct link *link, bool congested) {
	struct session *session = link->session;

	if (link->congested == congested) {
		return;
	}
	link->congested = congested;
	session->congested += congested ? 1 : (uint32_t)-1;
	portal_channel_set_paused(session->channel, session->congested > 0);
}

/* The relay has closed its socket, so that libwayland-client sees the end too. */
static void handle_ended(void *data, enum portal_relay_end end, const char *text) {
	struct link *link = data;

	if (link->source != NULL) {
		wl_event_source_remove(link->source);
		link->source = NULL;
	}
	set_congested(link, false);
	if (end == PORTAL_RELAY_CHANNEL_VIOLATION) {
		portal_channel_fail(link->session->channel, PORTAL_BYE_VIOLATION,
			"connection %u: %s", link->connection, text);
	} else if (end != PORTAL_RELAY_SOCKET_CLOSED) {
		wlr_log(WLR_ERROR, "connection %u ended: %s", link->connection, text);
	}
}

static void handle_released(void *data) {
	link_destroy(data);
}

static void handle_events(void *data, short events) {
	struct link *link = data;
	if (link->source != NULL) {
		wl_event_source_fd_update(link->source, event_mask_of_poll(events));
	}
}

static void handle_congested(void *data, bool congested) {
	set_congested(data, congested);
}

static const struct portal_relay_handlers relay_handlers = {
	.ended = handle_ended,
	.released = handle_released,
	.events = handle_events,
	.congested = handle_congested,
};

static int handle_socket(int fd, uint32_t mask, void *data) {
	struct link *link = data;
	portal_relay_dispatch(link->relay, event_mask_to_poll(mask));
	return 0;
}

bool link_take_delivered(struct link *link) {
	bool delivered = link->delivered;
	link->delivered = false;
	return delivered;
}

void link_pump(struct link *link) {
	if (link->source != NULL) {
		portal_relay_dispatch(link->relay, POLLIN);
	}
}

int link_create(
	struct session *session, uint32_t connection, const char *name, struct link **owner) {
	struct agent *agent = session->controller->base.agent;
	struct link *link = calloc(1, sizeof(*link));
	int pair[2];

	*owner = NULL;
	if (link == NULL) {
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
		free(link);
		return -1;
	}
	const struct portal_relay_options options = {
		.guest = true,
		.connection = connection,
		.name = name,
		.fd = pair[1],
		.channel = session->channel,
		.heap = &agent->heap,
	};
	link->session = session;
	link->connection = connection;
	link->relay = portal_relay_create(&options, &relay_handlers, link);
	if (link->relay == NULL) {
		goto error;
	}
	link->source = wl_event_loop_add_fd(agent->loop, pair[1],
		event_mask_of_poll(portal_relay_get_events(link->relay)), handle_socket, link);
	if (link->source == NULL) {
		portal_relay_destroy(link->relay);
		goto error;
	}
	wl_list_insert(&session->links, &link->link);
	link->owner = owner;
	*owner = link;
	return pair[0];

error:
	close(pair[0]);
	free(link);
	return -1;
}

void link_detach(struct link *link) {
	if (link != NULL) {
		link->owner = NULL;
	}
}

void link_destroy(struct link *link) {
	if (link->owner != NULL) {
		*link->owner = NULL;
	}
	set_congested(link, false);
	if (link->source != NULL) {
		wl_event_source_remove(link->source);
	}
	portal_relay_destroy(link->relay);
	wl_list_remove(&link->link);
	free(link);
}
