/*
 * Requests of applications that wlroots answers without an event: seen by libwayland's protocol
 * logger before wlroots handles them.
 */
#ifndef GUEST_AGENT_WATCH_H
#define GUEST_AGENT_WATCH_H

struct agent;
struct wl_protocol_logger;

/** Returns NULL with errno. Destroy it before the display. */
struct wl_protocol_logger *watch_create(struct agent *agent);

#endif
