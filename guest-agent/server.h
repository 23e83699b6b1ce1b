/*
 * The globals that applications see. They are made when the first controller has said what it
 * offers, and stay whatever later ones offer; until then applications wait at the socket.
 */
#ifndef GUEST_AGENT_SERVER_H
#define GUEST_AGENT_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

struct agent;
struct connection;
struct wlr_output;
struct wlr_output_layout;
struct wlr_server_decoration_manager;
struct wlr_xdg_activation_v1;

struct server {
	struct agent *agent;
	struct wlr_output_layout *layout;
	struct wlr_xdg_activation_v1 *activation; // NULL when the controller has none
	struct wlr_server_decoration_manager
		*kde_decoration; // NULL when the controller draws no frames
	bool started;

	struct wl_listener new_surface, new_toplevel, new_popup, new_decoration, new_kde_decoration,
		set_shape, request_activate;
};

/** Returns NULL with errno. */
struct server *server_create(struct agent *agent);
/** Before the display goes. */
void server_destroy(struct server *server);

/** Where an output lies, in the controller's logical coordinates. */
void server_place_output(struct agent *agent, struct wlr_output *output, int32_t x, int32_t y);
/** An output of which the controller does not say where it lies: right of the others. */
void server_place_output_beside(struct agent *agent, struct wlr_output *output);

/** Makes the globals that this controller can stand behind. −1 with errno. */
int server_start(struct server *server, const struct connection *connection);

#endif
