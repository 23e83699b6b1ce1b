/* A window: xdg_toplevel with its decoration. */
#ifndef GUEST_AGENT_TOPLEVEL_H
#define GUEST_AGENT_TOPLEVEL_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

struct wlr_xdg_toplevel;
struct wlr_xdg_toplevel_decoration_v1;
struct xdg;

struct toplevel {
	struct xdg *xdg;
	struct wlr_xdg_toplevel *wlr;
	struct xdg_toplevel *mirror; // NULL while there is none

	// What the controller configured, until its xdg_surface.configure
	struct {
		int32_t width, height, bounds_width, bounds_height;
		uint32_t states, tiled, constrained, capabilities, decoration;
		bool bounds_set, capabilities_set;
	} next;
	int32_t min_width, min_height, max_width, max_height; // sent last

	struct wlr_xdg_toplevel_decoration_v1 *decoration;
	struct zxdg_toplevel_decoration_v1 *decoration_mirror;

	struct wl_listener set_title, set_app_id, set_parent, request_maximize, request_fullscreen,
		request_minimize, request_move, request_resize, request_show_window_menu, destroy;
	struct wl_listener decoration_request_mode, decoration_destroy;
};

/** For xdg_shell's new_toplevel. */
void toplevel_create(struct wlr_xdg_toplevel *wlr);
/** For the decoration manager's new_toplevel_decoration. */
void toplevel_decorate(struct wlr_xdg_toplevel_decoration_v1 *decoration);

/* The role's part of xdg_realize(), xdg_unrealize(), xdg_commit(), xdg_send() and configure. */
void toplevel_realize(struct toplevel *toplevel);
void toplevel_unrealize(struct toplevel *toplevel);
bool toplevel_changed(const struct toplevel *toplevel);
void toplevel_send(struct toplevel *toplevel);
void toplevel_configure(struct toplevel *toplevel);

#endif
