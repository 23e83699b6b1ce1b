/* Who draws a window's frame: zxdg_toplevel_decoration_v1. */
#ifndef GUEST_AGENT_DECORATION_H
#define GUEST_AGENT_DECORATION_H

#include <stdint.h>
#include <wayland-server-core.h>

struct toplevel;
struct wlr_xdg_toplevel_decoration_v1;

struct decoration {
	struct toplevel *toplevel; // NULL when it is gone
	struct wlr_xdg_toplevel_decoration_v1 *wlr;
	struct zxdg_toplevel_decoration_v1 *mirror; // NULL while there is none
	uint32_t next; // mode, until the xdg_surface.configure; 0: unchanged

	struct wl_listener request_mode, destroy;
};

/** For the decoration manager's new_toplevel_decoration. */
void decoration_create(struct wlr_xdg_toplevel_decoration_v1 *wlr);
void decoration_realize(struct decoration *decoration);
void decoration_unrealize(struct decoration *decoration);
/** Schedules the mode that the controller chose. */
void decoration_configure(struct decoration *decoration);
/** The toplevel is going. */
void decoration_orphan(struct decoration *decoration);

#endif
