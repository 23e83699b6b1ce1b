#ifndef LAYER_H
#define LAYER_H

#include <wayland-server-core.h>

#include "node.h"

struct output;
struct server;
struct wlr_layer_surface_v1;
struct wlr_scene_layer_surface_v1;
struct wlr_scene_tree;

/* A part of the desktop that a client draws: bar, wallpaper, launcher, notification (layer-shell).
 */
struct layer {
	struct server *server;
	struct wl_list link; // server.layers
	struct wlr_layer_surface_v1 *surface;
	struct node node;
	struct wlr_scene_layer_surface_v1 *scene;
	struct wlr_scene_tree *popups;

	struct wl_listener commit;
	struct wl_listener map;
	struct wl_listener unmap;
	struct wl_listener new_popup;
	struct wl_listener tree_destroy;
	struct wl_listener destroy;
};

void layer_init(struct server *server);
void layer_finish(struct server *server);

struct layer *layer_from_surface(struct server *server, struct wlr_surface *surface);

/** Lays out an output's layer surfaces and stores what they leave in output->usable. */
void layer_arrange(struct output *output);
/** The output goes away: closes what was on it. */
void layer_close_output(struct output *output);
/** Whether a click on it gives it the keyboard. */
bool layer_wants_keyboard(const struct layer *layer);
/** The topmost mapped surface that takes the keyboard from the windows, or NULL. */
struct layer *layer_exclusive(struct server *server);

#endif
