/* intrude: what a hostile client could try so that something of it looks like another's window, or
 * so that it gets what is typed elsewhere. Nothing is waited for that a compositor may refuse. */
#include "feature.h"
#include "popup.h"
#include "seatlog.h"

/* Larger than the test screens, and reaching beyond all of their edges. */
static const struct place over_everything = {"over everything", 0, 0, 1, 1,
	XDG_POSITIONER_ANCHOR_TOP_LEFT, XDG_POSITIONER_GRAVITY_BOTTOM_RIGHT, 0, -1000, -900, 2400,
	2000, false};
static const struct place menu = {"menu", 10, 10, 20, 20, XDG_POSITIONER_ANCHOR_BOTTOM,
	XDG_POSITIONER_GRAVITY_BOTTOM, 0, 0, 0, 60, 40, false};

/* Shows a pattern without waiting for it to be seen. */
static struct buffer *show(struct window *window, int width, int height) {
	struct buffer *buffer = buffer_create_argb(window->client, width, height);
	buffer_pattern(buffer, 3);
	window_ack(window);
	window->mapped = true;
	buffer_attach(buffer, window->surface);
	wl_surface_damage_buffer(window->surface, 0, 0, width, height);
	wl_surface_commit(window->surface);
	client_roundtrip(window->client);
	return buffer;
}

void feature_intrude(struct client *client, int argc, char **argv) {
	struct window *window = window_create(client, "intrude", 0, 0);
	struct seatlog log;
	seatlog_init(&log, client, true);
	struct buffer *large = NULL, *normal = show(window, 300, 200);
	bool going = client_stage(client, "normal");
	if (going) {
		/* A window geometry that has nothing in common with the surface. */
		xdg_surface_set_window_geometry(window->xdg_surface, 1000, 1000, 50, 50);
		wl_surface_commit(window->surface);
		client_roundtrip(client);
		going = client_stage(client, "beyond");
	}
	if (going) {
		xdg_surface_set_window_geometry(window->xdg_surface, 0, 0, 3000, 2000);
		large = show(window, 3000, 2000);
		going = client_stage(client, "huge");
	}
	if (going) {
		struct popup *popup =
			popup_create(client, window->xdg_surface, &over_everything, 0);
		popup_draw(popup, 4);
		client_roundtrip(client);
		going = client_stage(client, "over everything");
		popup_destroy(popup);
	}
	if (going) {
		/* A serial that no input event ever had. */
		struct popup *popup = popup_create(client, window->xdg_surface, &menu, 1);
		client_wait(client, &popup->done);
		client_stage(client, "dismissed");
		popup_destroy(popup);
	}
	seatlog_finish(&log);
	window_destroy(window);
	buffer_destroy(normal);
	buffer_destroy(large);
}
