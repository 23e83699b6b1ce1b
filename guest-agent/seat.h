/*
 * Seats, one to one with the controller's. A seat is one wlr_seat for all applications, and on each
 * application's connection a link with that connection's pointer, keyboard and touch, whose events
 * name mirrors of that application.
 */
#ifndef GUEST_AGENT_SEAT_H
#define GUEST_AGENT_SEAT_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-client-core.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_keyboard.h>

struct agent;
struct connection;
struct surface;
struct wlr_seat;

struct seat {
	struct agent *agent;
	struct wlr_seat *wlr;
	struct wlr_keyboard keyboard;
	uint32_t global; // the controller's name for it
	bool present; // the controller of now has it
	char *keymap; // text, to see whether it changed
	size_t keymap_size;
	struct wl_list links; // seat_link.seat_link
	struct wl_list link; // agent.seats

	struct wl_listener request_set_cursor, request_set_selection, request_set_primary_selection,
		request_start_drag;
};

struct seat_link {
	struct connection *connection;
	struct seat *seat; // NULL until its name is known
	uint32_t global;
	struct wl_seat *mirror;
	struct wl_pointer *pointer;
	struct wl_keyboard *keyboard;
	struct wl_touch *touch;
	struct wp_cursor_shape_device_v1 *shape;

	// The pointer's axis events until its frame
	struct pointer_axis {
		double value;
		int32_t value120;
		uint32_t time, direction;
		bool moved, stopped;
	} axis[2];
	uint32_t axis_source;

	struct wl_list link; // connection.seats
	struct wl_list seat_link; // seat.links
};

/** Binds a wl_seat global on a connection. */
void seat_bind(struct connection *connection, uint32_t global, uint32_t version);
/** The global or the connection is gone. */
void seat_link_destroy(struct seat_link *link);
/** The link of a seat on a connection, or NULL. */
struct seat_link *seat_link_find(struct connection *connection, const struct seat *seat);

/* Listeners of each device: pointer.c, keyboard.c, touch.c. */
void pointer_bind(struct seat_link *link);
void pointer_release(struct seat_link *link);
void keyboard_bind(struct seat_link *link);
void keyboard_release(struct seat_link *link);
void keyboard_init(struct seat *seat);
void touch_bind(struct seat_link *link);
void touch_release(struct seat_link *link);

/** Every focus of the seat ends, keys and touches are released: the controller is gone. */
void seat_reset(struct seat *seat);
void seat_destroy(struct seat *seat);

#endif
