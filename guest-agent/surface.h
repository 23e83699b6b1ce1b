/*
 * A wl_surface of an application and its mirror on the controller.
 *
 * A commit is absorbed first (what changed, the newest buffer, the damage), then sent: at once when
 * it changes more than pixels, otherwise when the mirror's frame callback says that the controller
 * is ready for the next frame. Synchronised subsurfaces are sent with the surface they follow.
 */
#ifndef GUEST_AGENT_SURFACE_H
#define GUEST_AGENT_SURFACE_H

#include "content.h"
#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

struct app;
struct agent;
struct connection;
struct drag;
struct wlr_surface;

struct surface {
	struct app *app;
	struct wlr_surface *wlr;
	struct wl_list link; // app.surfaces

	// The mirror, NULL while there is none
	struct wl_surface *mirror;
	struct wp_viewport *viewport;
	struct wp_fractional_scale_v1 *fractional_scale;
	struct wl_callback *frame; // the controller owes it: not ready for new pixels
	bool shown; // the mirror has a buffer
	bool entered; // the mirror has been on an output

	struct content content;
	uint32_t dirty; // enum wlr_surface_state_field: what the mirror lacks
	int32_t dx, dy; // offsets not sent yet
	bool pending; // something is absorbed and not sent
	bool urgent; // and must not wait for the controller
	int32_t width, height; // of the last commit, surface coordinates
	char *token; // to activate it with, once its mirror is a window; or NULL
	struct wl_list starved_link; // agent.starved

	// The role, at most one of them
	struct xdg *xdg;
	struct subsurface *subsurface;
	bool cursor;
	struct drag *drag; // it is the icon of

	struct wl_list subsurfaces; // subsurface.link, in no order

	struct wl_listener commit, new_subsurface, destroy;
};

/** Follows a new surface of an application. Returns NULL with errno. */
struct surface *surface_create(struct app *app, struct wlr_surface *wlr);
/** The agent's view of a surface; never NULL. */
struct surface *surface_from_wlr(struct wlr_surface *wlr);
/** The local surface of a mirror; NULL when it is gone. */
struct surface *surface_from_mirror(struct wl_surface *mirror);

/** The connection its mirror lives on, NULL while there is none that is ready. */
struct connection *surface_connection(const struct surface *surface);

/** Makes the mirror, with nothing sent of its state; all of it becomes dirty. */
void surface_realize(struct surface *surface);
/** Drops the mirror and keeps the content. */
void surface_unrealize(struct surface *surface);

/**
 * Sends what is absorbed, with the synchronised subsurfaces around it, if it is time to; to be
 * called when something that held it back is gone.
 */
void surface_update(struct surface *surface);
/** Something beyond pixels changed: surface_update() will send it at once. */
void surface_mark(struct surface *surface);
/** The role is gone and its content with it: the mirror shows nothing. */
void surface_hide(struct surface *surface);

#endif
