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
struct drag;
struct keymap;
struct surface;
struct wlr_seat;

struct seat {
	struct agent *agent;
	struct wlr_seat *wlr;
	struct wlr_keyboard keyboard;
	uint32_t global; // the controller's name for it
	bool present; // the controller of now has it
	struct keymap *keymap; // what its keyboard has; NULL: none yet
	struct keymap *latest; // what came last on any connection; NULL: none yet
	struct drag *drag; // NULL: none
	struct wl_list link; // agent.seats

	struct wl_listener request_set_cursor, request_set_selection, request_set_primary_selection,
		request_start_drag;
};

struct seat_link {
	struct connection *connection;
	uint32_t global;
	struct wl_seat *mirror;
	char *name; // the agent's own connection only
	uint32_t capabilities;
	struct wl_pointer *pointer;
	struct wl_keyboard *keyboard;
	struct keymap *keymap; // by which the keys that come here are meant; NULL: none yet
	struct wl_touch *touch;
	struct wp_cursor_shape_device_v1 *shape;

	struct wl_surface *entered; // the mirror under the pointer, or NULL
	uint32_t enter_serial; // the controller's
	double x, y; // the pointer's place there

	// The pointer's events until its frame
	struct pointer_axis {
		double value;
		int32_t value120;
		uint32_t time, direction;
		bool moved, stopped;
	} axis[2];
	uint32_t axis_source;
	bool frame_due;

	struct wl_list link; // connection.seats
};

/** Binds a wl_seat global on a connection. */
void seat_bind(struct connection *connection, uint32_t global, uint32_t version);
/** The global or the connection is gone. */
void seat_link_destroy(struct seat_link *link);
/** The link of a seat on a connection, or NULL. */
struct seat_link *seat_link_find(struct connection *connection, const struct seat *seat);
/** A mirror is going: nothing that comes later at its address is what the pointer is on. */
void seat_forget_surface(struct connection *connection, const struct wl_surface *mirror);
/** The local seat; NULL while the agent's own connection does not know it. */
struct seat *seat_link_seat(const struct seat_link *link);

/** The controller is gone: focus, keys and touches end; seats stay until the next one has come. */
void seat_forget_all(struct agent *agent);
/** The controller has named its seats: those it lacks go. */
void seat_sweep(struct agent *agent);
void seat_destroy(struct seat *seat);

/**
 * A range of local serials that stand for one of the controller's, for all that wlroots sends
 * between the two calls.
 */
uint32_t seat_serial_begin(const struct seat_link *link);
void seat_serial_end(struct seat_link *link, uint32_t begin, uint32_t remote);

/* The devices of a link: pointer.c, keyboard.c, touch.c, cursor.c. */
void pointer_bind(struct seat_link *link);
void pointer_unbind(struct seat_link *link);
/** The pointer is on no mirror of the link any more: what it dragged from there is cancelled. */
void pointer_left(struct seat_link *link);
/** wlroots has forgotten the surface that the pointer is on, where the controller has not. */
void pointer_enter_again(struct seat_link *link);
void keyboard_bind(struct seat_link *link);
void keyboard_unbind(struct seat_link *link);
void keyboard_init(struct seat *seat);
void keyboard_finish(struct seat *seat);
void touch_bind(struct seat_link *link);
void touch_unbind(struct seat_link *link);
void cursor_init(struct seat *seat);

#endif
