/* A popup of a test client. */
#ifndef POPUP_H
#define POPUP_H

#include "window.h"
#include "wlr-layer-shell-unstable-v1-client-protocol.h"

/* Where a popup goes; all in surface units, relative to the parent's window geometry. */
struct place {
	const char *name;
	int anchor_x, anchor_y, anchor_width, anchor_height;
	enum xdg_positioner_anchor anchor;
	enum xdg_positioner_gravity gravity;
	uint32_t adjustment; // enum xdg_positioner_constraint_adjustment
	int offset_x, offset_y;
	int width, height;
	bool reactive;
};

struct popup {
	struct client *client;
	const char *name;
	struct wl_surface *surface;
	struct xdg_surface *xdg_surface;
	struct xdg_popup *xdg_popup;
	struct buffer *buffer;
	int x, y, width, height; // of the last configure
	uint32_t serial, token;
	bool configured, done, repositioned;
};

struct xdg_positioner *popup_positioner(struct client *client, const struct place *place);

/* Makes a popup of `parent`, with a grab from `grab_serial` when that is not 0, and waits until it
 * has been configured or dismissed; prints the configure. The caller destroys it. */
struct popup *popup_create(struct client *client, struct xdg_surface *parent,
	const struct place *place, uint32_t grab_serial);
/* The same for a popup of a layer surface, without a grab. */
struct popup *popup_create_for_layer(
	struct client *client, struct zwlr_layer_surface_v1 *parent, const struct place *place);
void popup_destroy(struct popup *popup);

/* Draws at the configured size and commits; counted as not presented. */
void popup_draw(struct popup *popup, uint32_t seed);

/* Moves a shown popup and waits for `repositioned` and its configure; prints them. */
void popup_reposition(struct popup *popup, const struct place *place, uint32_t token);

#endif
