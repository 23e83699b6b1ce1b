/*
 * A Wayland connection on the channel: a socket pair between libwayland-client and the relay that
 * moves its messages.
 */
#ifndef GUEST_AGENT_LINK_H
#define GUEST_AGENT_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

struct portal_relay;
struct session;

struct link {
	struct session *session;
	uint32_t connection; // id in the channel
	struct portal_relay *relay;
	struct wl_event_source *source; // NULL once the socket is closed
	bool congested;
	bool delivered; // its socket has what the channel brought
	struct link **owner; // set to NULL when the link goes; NULL: nobody asks
	struct wl_list link; // session.links
};

/** Returns libwayland-client's end, the caller's, or −1 with errno. */
int link_create(
	struct session *session, uint32_t connection, const char *name, struct link **owner);
void link_destroy(struct link *link);

/** The owner is going; the link follows when both ends of the channel know. NULL is fine. */
void link_detach(struct link *link);

/**
 * Has the channel brought something since the last call? It can be read in the same turn of the
 * loop, which then does not wait to be told so.
 */
bool link_take_delivered(struct link *link);

/** libwayland-client has just written: moved on in the same turn of the loop. */
void link_pump(struct link *link);

#endif
