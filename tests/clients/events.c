/* events: a window with a subsurface that prints every event of the seat, until it is closed. */
#include "feature.h"
#include "seatlog.h"
#include "window.h"

void feature_events(struct client *client, int argc, char **argv) {
	struct window *window = window_create(client, "events", 240, 180);
	window_draw(window, 240, 180, 18);
	seatlog_name(window->surface, "window");
	struct wl_surface *surface = wl_compositor_create_surface(client->compositor);
	seatlog_name(surface, "sub");
	struct wl_subsurface *sub =
		wl_subcompositor_get_subsurface(client->subcompositor, surface, window->surface);
	wl_subsurface_set_position(sub, 150, 100);
	struct buffer *buffer = buffer_create_argb(client, 60, 60);
	buffer_pattern(buffer, 19);
	buffer_attach(buffer, surface);
	wl_surface_damage_buffer(surface, 0, 0, 60, 60);
	client_expect_frame(client, surface);
	wl_surface_commit(surface);
	client_expect_frame(client, window->surface);
	wl_surface_commit(window->surface);
	struct seatlog log;
	seatlog_init(&log, client, false);
	client_show_stage(client, "events");
	seatlog_finish(&log);
	wl_subsurface_destroy(sub);
	wl_surface_destroy(surface);
	buffer_destroy(buffer);
	window_destroy(window);
}
