/* fractional: a window drawn at the scale that wp_fractional_scale_v1 asks for, so that one pixel
 * of its buffer is one of the screen's. Waits for a scale that is no whole number. */
#include "feature.h"
#include "window.h"

struct fractional {
	struct window *window;
	struct wp_viewport *viewport;
	struct wp_fractional_scale_v1 *object;
	uint32_t scale; /* in 120ths */
	bool asked; /* for a scale that is no whole number */
};

static void handle_preferred_scale(
	void *data, struct wp_fractional_scale_v1 *object, uint32_t scale) {
	struct fractional *fractional = data;
	fractional->scale = scale;
	fractional->asked = scale % 120 != 0;
}

static const struct wp_fractional_scale_v1_listener listener = {
	.preferred_scale = handle_preferred_scale,
};

/* Rounded half up, as the protocol has it. */
static int pixels(const struct fractional *fractional, int size) {
	return (size * (int)fractional->scale + 60) / 120;
}

static void draw(struct fractional *fractional, int width, int height) {
	wp_viewport_set_destination(fractional->viewport, width, height);
	window_draw(fractional->window, pixels(fractional, width), pixels(fractional, height), 5);
}

void feature_fractional(struct client *client, int argc, char **argv) {
	if (client->viewporter == NULL || client->fractional_scales == NULL) {
		client_fail("no wp_viewporter, or no wp_fractional_scale_manager_v1");
	}
	struct fractional fractional = {
		.window = window_create(client, "fractional", 0, 0),
		.scale = 120,
	};
	struct wl_surface *surface = fractional.window->surface;
	fractional.viewport = wp_viewporter_get_viewport(client->viewporter, surface);
	fractional.object = wp_fractional_scale_manager_v1_get_fractional_scale(
		client->fractional_scales, surface);
	wp_fractional_scale_v1_add_listener(fractional.object, &listener, &fractional);
	/* Once it is on an output at the latest, it is told. */
	draw(&fractional, 181, 121);
	client_wait(client, &fractional.asked);
	client_log("scale %u/120", fractional.scale);
	draw(&fractional, 181, 121);
	if (client_show_stage(client, "odd")) {
		draw(&fractional, 200, 140);
		client_show_stage(client, "even");
	}
	wp_fractional_scale_v1_destroy(fractional.object);
	wp_viewport_destroy(fractional.viewport);
	window_destroy(fractional.window);
}
