/*
 * One controller on the channel: its frames go to the relays of its connections and to the programs
 * it launches. A session that has not proven itself yet touches nothing.
 */
#ifndef GUEST_AGENT_SESSION_H
#define GUEST_AGENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wayland-server-core.h>

struct channel_controller;
struct link;
struct portal_channel;
struct portal_transport;

struct session {
	struct channel_controller *controller;
	struct portal_channel *channel;
	struct wl_event_source *source;
	bool ready; // it is the controller
	bool same_kernel; // both ends read one clock
	bool closed; // destroyed when the loop is idle
	uint32_t congested; // links whose sockets do not keep up
	uint32_t next_connection;
	size_t heap_told; // bytes in use, as the controller was told last
	struct wl_list links; // link.link
	struct wl_list link; // channel_controller.sessions
};

/** Takes the transport over, also on failure; then it returns NULL with errno. */
struct session *session_create(
	struct channel_controller *controller, struct portal_transport *transport);
/** Ends its links, without a word to its peer. */
void session_destroy(struct session *session);

/** A new Wayland connection; as controller_open(). */
int session_open(struct session *session, const char *name, struct link **link);

/** Writes what is queued; once a loop's turn. */
void session_flush(struct session *session);

#endif
