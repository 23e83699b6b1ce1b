/*
 * xdg_activation: tokens that the controller gave with a launch are passed back as they are; tokens
 * that one application gives another are the agent's, and bought from the controller when used.
 */
#ifndef GUEST_AGENT_ACTIVATION_H
#define GUEST_AGENT_ACTIVATION_H

#include <wayland-server-core.h>

struct agent;
struct connection;
struct surface;

#define ACTIVATION_TIMEOUT_MSEC (5 * 60 * 1000) // a program may start slowly

/** For request_activate; the data is the event. */
void activation_handle_request(struct wl_listener *listener, void *data);

/** A token of the controller's, handed to a program that is launched now. */
void activation_expect(struct agent *agent, const char *name);

/** The surface's mirror has become a window: a token that came before is used. */
void activation_catch_up(struct surface *surface);

/** The connection goes. */
void activation_finish(struct connection *connection);

#endif
