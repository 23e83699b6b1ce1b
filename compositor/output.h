#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <wayland-server-core.h>
#include <wlr/util/box.h>

struct server;
struct wlr_output;
struct wlr_scene_output;
struct wlr_scene_rect;

struct output {
	struct server *server;
	struct wl_list link; // server.outputs
	struct wlr_output *wlr_output;
	struct wlr_scene_output *scene_output; /* NULL while it is off */
	struct wlr_scene_rect *background;
	struct wlr_box box; /* layout coordinates, logical pixels; empty while off */
	struct wlr_box usable; /* what bars leave of it */

	struct wl_listener frame;
	struct wl_listener request_state;
	struct wl_listener destroy;
};

/** Listens for new outputs, for requests to change them, and lays them out. */
void output_init(struct server *server);
void output_finish(struct server *server);

/** "MAKE MODEL SERIAL", with "Unknown" for what the display does not say. */
void output_describe(const struct wlr_output *wlr_output, char *text, size_t size);

struct output *output_from_wlr_output(struct server *server, struct wlr_output *wlr_output);
/** The output at, or nearest to, a point of the layout. NULL: none is on. */
struct output *output_at(struct server *server, double lx, double ly);
/** The output of the first seat's pointer, or any. NULL: none is on. */
struct output *output_active(struct server *server);

/** Applies the configuration to every output; for start and reload. */
void output_configure_all(struct server *server);
/** Adds an output to the layout, at a position or to the right of the others, or takes it away. */
void output_set_shown(struct output *output, bool shown, bool has_position, int x, int y);
/** Sizes and positions have changed, or bars: arranges bars and windows. */
void output_arrange(struct output *output);

#endif
