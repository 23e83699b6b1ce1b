/* The controller at the other end of a channel: the agent listens, its bridge connects. */
#ifndef GUEST_AGENT_CONTROLLER_CHANNEL_H
#define GUEST_AGENT_CONTROLLER_CHANNEL_H

#include "controller.h"
#include <auth.h>
#include <stdbool.h>
#include <stdint.h>
#include <transport.h>
#include <wayland-server-core.h>

struct session;

struct channel_controller {
	struct controller base;
	struct portal_transport_address address;
	const char *name; // of the VM, "" when not given
	const char *transport; // of the command line, for logs
	bool has_key;
	uint8_t key[PORTAL_KEY_SIZE];
	uint8_t session_id[16];

	struct portal_transport_listener *listener;
	struct wl_event_source *source;
	struct wl_event_source *cleanup; // idle: closed sessions go
	struct wl_list sessions; // session.link
	struct session *active; // the controller of now, or NULL
	struct wl_list programs; // program.link, see launch.c
};

/**
 * A controller that connects to `transport`. `key_path` may be NULL where none is needed; `name`
 * and `transport` stay the caller's. Returns NULL after a log line.
 */
struct controller *controller_create_channel(
	const char *transport, const char *key_path, const char *name);

/* A session has proven itself: it takes over. */
void channel_controller_ready(struct channel_controller *controller, struct session *session);
/* A session's channel has closed: it goes, when the loop is idle. */
void channel_controller_closed(struct channel_controller *controller, struct session *session);

#endif
