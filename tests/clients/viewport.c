/* viewport: cropping and scaling by wp_viewport, alone, together, with fractional sources, with
 * buffer scale and transform, and removed again. */
#include <stdio.h>

#include "feature.h"
#include "window.h"

struct step {
	const char *name;
	double x, y, width, height; // source in surface units before scaling; x < 0: none
	int to_width, to_height; // destination; -1: none
	int scale;
	enum wl_output_transform transform;
};

/* The buffer always has 240x180 pixels. */
static const struct step steps[] = {
	{"none", -1, -1, -1, -1, -1, -1, 1, WL_OUTPUT_TRANSFORM_NORMAL},
	{"crop", 60, 45, 120, 90, -1, -1, 1, WL_OUTPUT_TRANSFORM_NORMAL},
	{"scale up", -1, -1, -1, -1, 480, 360, 1, WL_OUTPUT_TRANSFORM_NORMAL},
	{"scale down", -1, -1, -1, -1, 120, 90, 1, WL_OUTPUT_TRANSFORM_NORMAL},
	{"stretch", -1, -1, -1, -1, 333, 77, 1, WL_OUTPUT_TRANSFORM_NORMAL},
	{"crop and scale", 30, 20, 60, 60, 240, 240, 1, WL_OUTPUT_TRANSFORM_NORMAL},
	{"fractional", 10.25, 10.5, 100.5, 80.25, 300, 200, 1, WL_OUTPUT_TRANSFORM_NORMAL},
	{"buffer scale 2", 10, 10, 80, 60, 160, 120, 2, WL_OUTPUT_TRANSFORM_NORMAL},
	{"turned", 20, 20, 100, 160, 200, 160, 1, WL_OUTPUT_TRANSFORM_90},
	{"flipped", 20, 20, 100, 60, 300, 180, 1, WL_OUTPUT_TRANSFORM_FLIPPED},
	{"none again", -1, -1, -1, -1, -1, -1, 1, WL_OUTPUT_TRANSFORM_NORMAL},
};

static void apply(struct window *window, struct wp_viewport *viewport, const struct step *step) {
	wl_surface_set_buffer_scale(window->surface, step->scale);
	wl_surface_set_buffer_transform(window->surface, step->transform);
	wp_viewport_set_source(viewport, wl_fixed_from_double(step->x),
		wl_fixed_from_double(step->y), wl_fixed_from_double(step->width),
		wl_fixed_from_double(step->height));
	wp_viewport_set_destination(viewport, step->to_width, step->to_height);
	client_expect_frame(window->client, window->surface);
	wl_surface_commit(window->surface);
}

void feature_viewport(struct client *client, int argc, char **argv) {
	if (client->viewporter == NULL) {
		client_fail("no wp_viewporter");
	}
	struct window *window = window_create(client, "viewport", 0, 0);
	struct wp_viewport *viewport =
		wp_viewporter_get_viewport(client->viewporter, window->surface);
	window_draw(window, 240, 180, 3);
	bool going = true;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && going; i++) {
		apply(window, viewport, &steps[i]);
		going = client_show_stage(client, steps[i].name);
	}
	/* A destroyed viewport falls back to the buffer's size with the next commit. */
	if (going) {
		apply(window, viewport, &steps[5]);
		wp_viewport_destroy(viewport);
		client_expect_frame(client, window->surface);
		wl_surface_commit(window->surface);
		client_show_stage(client, "destroyed");
	} else {
		wp_viewport_destroy(viewport);
	}
	window_destroy(window);
}
