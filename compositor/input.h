#ifndef INPUT_H
#define INPUT_H

#include <stdbool.h>
#include <wayland-server-core.h>

struct seat;
struct server;
struct wlr_input_device;

/* A pointer or a touch screen of a seat; keyboards are in keyboard.h. */
struct input {
	struct seat *seat;
	struct wl_list link; // seat.devices
	struct wlr_input_device *device;
	bool mapped_by_client; /* a virtual one, whose client has named an output */
	struct wl_listener destroy;
};

/** Listens for new devices, real and virtual. */
void input_init(struct server *server);
void input_finish(struct server *server);
/** Applies the configuration to every device anew. */
void input_configure_all(struct server *server);
/** Outputs have come or gone: maps devices to those that the configuration names. */
void input_map_all(struct server *server);

bool input_has_touch(const struct seat *seat);
void input_destroy_all(struct seat *seat);

#endif
