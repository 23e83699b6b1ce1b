/* regions: input regions with holes, empty ones and infinite ones decide which surface gets the
 * pointer; an opaque region over truly opaque pixels changes no pixel. The pointer events are the
 * log; whoever runs it moves the pointer at every stage. */
#include "feature.h"
#include "seatlog.h"
#include "window.h"

static void set_input(struct client *client, struct wl_surface *surface, bool hole) {
	struct wl_region *region = wl_compositor_create_region(client->compositor);
	wl_region_add(region, 0, 0, 160, 120);
	if (hole) {
		wl_region_subtract(region, 40, 40, 60, 40);
	}
	wl_region_add(region, 60, 50, 10, 10);
	wl_surface_set_input_region(surface, region);
	wl_region_destroy(region);
}

static void set_opaque(struct client *client, struct wl_surface *surface) {
	struct wl_region *region = wl_compositor_create_region(client->compositor);
	wl_region_add(region, 0, 0, 160, 60);
	wl_surface_set_opaque_region(surface, region);
	wl_region_destroy(region);
}

/* The upper half opaque, the lower half half transparent. */
static struct buffer *draw(struct client *client) {
	struct buffer *buffer = buffer_create_argb(client, 160, 120);
	buffer_fill(buffer, 0x80402000);
	buffer_rect(buffer, 0, 0, 160, 60, 0xff20a040);
	return buffer;
}

void feature_regions(struct client *client, int argc, char **argv) {
	struct window *window = window_create(client, "regions", 200, 160);
	window_draw(window, 200, 160, 6);
	seatlog_name(window->surface, "window");
	struct wl_surface *surface = wl_compositor_create_surface(client->compositor);
	seatlog_name(surface, "sub");
	struct wl_subsurface *sub = client_get_subsurface(client, surface, window->surface);
	wl_subsurface_set_position(sub, 20, 20);
	wl_subsurface_set_desync(sub);
	struct seatlog log;
	seatlog_init(&log, client, false);
	struct buffer *buffer = draw(client);
	set_input(client, surface, true);
	set_opaque(client, surface);
	buffer_attach(buffer, surface);
	wl_surface_damage_buffer(surface, 0, 0, 160, 120);
	client_expect_frame(client, surface);
	wl_surface_commit(surface);
	wl_surface_commit(window->surface);
	if (!client_show_stage(client, "hole")) {
		goto out;
	}
	set_input(client, surface, false);
	client_barrier(client, surface);
	if (!client_stage(client, "no hole")) {
		goto out;
	}
	struct wl_region *nothing = wl_compositor_create_region(client->compositor);
	wl_surface_set_input_region(surface, nothing);
	wl_region_destroy(nothing);
	client_barrier(client, surface);
	if (!client_stage(client, "nothing")) {
		goto out;
	}
	wl_surface_set_input_region(surface, NULL);
	wl_surface_set_opaque_region(surface, NULL);
	client_expect_frame(client, surface);
	wl_surface_commit(surface);
	client_show_stage(client, "everything");
out:
	seatlog_finish(&log);
	wl_subsurface_destroy(sub);
	wl_surface_destroy(surface);
	buffer_destroy(buffer);
	window_destroy(window);
}
