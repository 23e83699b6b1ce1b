/* events [NUMBER]: a window with a subsurface that prints every event of a seat, the first or the
 * one of that number, until it is closed. */
#include <stdlib.h>
#include <string.h>

#include "feature.h"
#include "seatlog.h"
#include "window.h"

struct choice {
	int wanted, seen; // seats, from 1
};

static void handle_global(
	struct client *client, uint32_t name, const char *interface, uint32_t version) {
	struct choice *choice = client->data;
	if (strcmp(interface, wl_seat_interface.name) == 0 && ++choice->seen == choice->wanted) {
		client->seat_global = name;
		client->seat_version = version < 9 ? version : 9;
	}
}

static void choose_seat(struct client *client, int number) {
	struct choice choice = {.wanted = number};
	client->data = &choice;
	client->global = handle_global;
	client_restart_registry(client);
	client_roundtrip(client);
	client->global = NULL;
	client->data = NULL;
	if (choice.seen < number) {
		client_fail("%d seats only", choice.seen);
	}
}

void feature_events(struct client *client, int argc, char **argv) {
	if (argc > 0) {
		choose_seat(client, atoi(argv[0]));
	}
	struct window *window = window_create(client, "events", 240, 180);
	window_draw(window, 240, 180, 18);
	seatlog_name(window->surface, "window");
	struct wl_surface *surface = wl_compositor_create_surface(client->compositor);
	seatlog_name(surface, "sub");
	struct wl_subsurface *sub = client_get_subsurface(client, surface, window->surface);
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
