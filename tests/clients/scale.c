/* scale: buffer scales 1, 2 and 3 with buffers that give the same size in surface units, then a
 * larger scale on the same buffer, which shrinks the window. */
#include <stdio.h>

#include "feature.h"
#include "window.h"

void feature_scale(struct client *client, int argc, char **argv) {
	struct window *window = window_create(client, "scale", 180, 120);
	for (int scale = 1; scale <= 3; scale++) {
		wl_surface_set_buffer_scale(window->surface, scale);
		window_draw(window, 180 * scale, 120 * scale, 1);
		char name[32];
		snprintf(name, sizeof(name), "scale %d", scale);
		if (!client_show_stage(client, name)) {
			goto out;
		}
	}
	xdg_toplevel_set_min_size(window->toplevel, 90, 60);
	xdg_toplevel_set_max_size(window->toplevel, 90, 60);
	wl_surface_set_buffer_scale(window->surface, 6);
	client_expect_frame(client, window->surface);
	wl_surface_commit(window->surface);
	client_show_stage(client, "scale alone");
out:
	window_destroy(window);
}
