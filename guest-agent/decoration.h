/*
 * Who draws a window's frame: zxdg_toplevel_decoration_v1, or KDE's older
 * org_kde_kwin_server_decoration, the only one that GTK speaks. The controller hears of both by the
 * first.
 */
#ifndef GUEST_AGENT_DECORATION_H
#define GUEST_AGENT_DECORATION_H

#include <stdint.h>
#include <wayland-server-core.h>

struct toplevel;
struct wlr_server_decoration;
struct wlr_server_decoration_manager;
struct wlr_xdg_toplevel_decoration_v1;

struct decoration {
	struct toplevel *toplevel; // NULL when it is gone, or KDE's comes before it
	struct wlr_xdg_toplevel_decoration_v1 *wlr; // NULL for one of KDE's protocol
	struct wlr_server_decoration *kde; // NULL for an xdg one
	struct zxdg_toplevel_decoration_v1 *mirror; // NULL while there is none
	uint32_t next; // mode, until the xdg_surface.configure; 0: unchanged

	struct wl_listener request_mode, destroy;
};

/** For the decoration manager's new_toplevel_decoration. */
void decoration_create(struct wlr_xdg_toplevel_decoration_v1 *wlr);
/** For new_decoration of KDE's manager. */
void decoration_create_kde(struct wlr_server_decoration *kde);
/** A new toplevel takes what its surface got from KDE's manager before. The manager may be NULL. */
void decoration_adopt(struct toplevel *toplevel, struct wlr_server_decoration_manager *manager);
void decoration_realize(struct decoration *decoration);
void decoration_unrealize(struct decoration *decoration);
/** Schedules the mode that the controller chose. */
void decoration_configure(struct decoration *decoration);
/** The toplevel is going. */
void decoration_orphan(struct decoration *decoration);

#endif
