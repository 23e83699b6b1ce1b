/* wl_subsurface: position, stacking order and both sync modes. */
#ifndef GUEST_AGENT_SUBSURFACE_H
#define GUEST_AGENT_SUBSURFACE_H

#include <stdbool.h>
#include <wayland-server-core.h>

struct surface;
struct wlr_subsurface;

struct subsurface {
	struct surface *surface, *parent;
	struct wlr_subsurface *wlr;
	struct wl_list link; // surface.subsurfaces of the parent

	struct wl_subsurface *mirror; // NULL while there is none
	int32_t x, y; // sent last
	bool synchronized; // sent last
	struct wl_surface *below; // sent last: the mirror it was placed by,
	bool above; // above or below it

	struct wl_listener destroy;
};

/** For the parent's new_subsurface event. */
void subsurface_create(struct surface *parent, struct wlr_subsurface *wlr);

/** The parent is going. */
void subsurface_orphan(struct subsurface *subsurface);

/** Is it applied only with its parent, by its own mode or an ancestor's? */
bool subsurface_is_synchronized(const struct subsurface *subsurface);

/** Makes the mirrors of a parent's subsurfaces that lack one. */
void subsurface_realize_all(struct surface *parent);
void subsurface_unrealize(struct subsurface *subsurface);
/** Have position or order of a parent's subsurfaces changed since they were sent? */
bool subsurface_changed(struct surface *parent);
/** Sends position and order of a parent's subsurfaces: before the parent's mirror commit. */
void subsurface_send_all(struct surface *parent);
/**
 * Sends the sync modes of a surface and those it stands on: before its own mirror commit. Changing
 * the mode is no commit, so that a parent's can have changed since anything of it was sent.
 */
void subsurface_send_modes(struct surface *surface);

#endif
