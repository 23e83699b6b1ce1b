/* A window: xdg_toplevel. */
#ifndef GUEST_AGENT_TOPLEVEL_H
#define GUEST_AGENT_TOPLEVEL_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_xdg_shell.h>

struct decoration;
struct xdg;

struct toplevel {
	struct xdg *xdg;
	struct wlr_xdg_toplevel *wlr;
	struct xdg_toplevel *mirror; // NULL while there is none
	struct decoration *decoration; // NULL when the application has none

	struct wlr_xdg_toplevel_configure next; // until the xdg_surface.configure
	int32_t min_width, min_height, max_width, max_height; // sent last
	bool title_late, app_id_late; // held back while the connection was congested

	struct wl_listener set_title, set_app_id, set_parent, request_maximize, request_fullscreen,
		request_minimize, request_move, request_resize, request_show_window_menu, destroy;
};

/** For xdg_shell's new_toplevel. */
void toplevel_create(struct wlr_xdg_toplevel *wlr);

/* The role's part of xdg_realize(), xdg_unrealize(), xdg_commit(), xdg_send() and xdg_shown(). */
void toplevel_realize(struct toplevel *toplevel);
void toplevel_unrealize(struct toplevel *toplevel);
bool toplevel_changed(const struct toplevel *toplevel);
void toplevel_send(struct toplevel *toplevel);
void toplevel_shown(struct toplevel *toplevel);
/** Sends what was held back. */
void toplevel_catch_up(struct toplevel *toplevel);

/**
 * Schedules what the controller configured. With `again` only the mirror is new, and the
 * application keeps its size where the controller leaves it the choice.
 */
void toplevel_configure(struct toplevel *toplevel, bool again);

#endif
