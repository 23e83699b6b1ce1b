#include "agent.h"
#include "app.h"
#include "connection.h"
#include "drag.h"
#include "seat.h"
#include "surface.h"
#include <cursor-shape-v1-client-protocol.h>
#include <string.h>
#include <wayland-client-protocol.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_seat.h>

#define AXIS_SOURCE_UNKNOWN UINT32_MAX

/* The seat, if its pointer is on the link's application; else the event comes too late. */
static struct seat *focused_seat(struct seat_link *link) {
	struct seat *seat = seat_link_seat(link);
	if (seat == NULL) {
		return NULL;
	}
	// A drag has taken the focus away, but wants the motion.
	if (drag_of_pointer(seat) != NULL) {
		return drag_of_pointer(seat) == link->connection->app ? seat : NULL;
	}
	const struct wlr_seat_client *client = seat->wlr->pointer_state.focused_client;
	return client != NULL && client->client == link->connection->app->client ? seat : NULL;
}

static void handle_enter(void *data, struct wl_pointer *mirror, uint32_t serial,
	struct wl_surface *target, wl_fixed_t x, wl_fixed_t y) {
	struct seat_link *link = data;
	struct seat *seat = seat_link_seat(link);
	struct surface *surface = surface_from_mirror(target);

	link->entered = target;
	link->enter_serial = serial;
	link->x = wl_fixed_to_double(x);
	link->y = wl_fixed_to_double(y);
	if (seat == NULL || surface == NULL) {
		return;
	}
	// The button that another's drag is held by was released elsewhere.
	if (drag_of_pointer(seat) != link->connection->app) {
		drag_cancel_pointer(seat);
	}
	uint32_t begin = seat_serial_begin(link);
	wlr_seat_pointer_notify_enter(seat->wlr, surface->wlr, link->x, link->y);
	seat_serial_end(link, begin, serial);
}

static void handle_leave(
	void *data, struct wl_pointer *mirror, uint32_t serial, struct wl_surface *target) {
	struct seat_link *link = data;
	struct seat *seat = seat_link_seat(link);
	struct surface *surface = surface_from_mirror(target);

	pointer_left(link);
	// Another application's enter can have come first, on another connection.
	if (seat == NULL || surface == NULL ||
		seat->wlr->pointer_state.focused_surface != surface->wlr) {
		return;
	}
	uint32_t begin = seat_serial_begin(link);
	wlr_seat_pointer_notify_clear_focus(seat->wlr);
	seat_serial_end(link, begin, serial);
}

static void send_frame(struct seat_link *link);

/* Before version 5 each event stands for itself. */
static void event_done(struct seat_link *link) {
	link->frame_due = true;
	if (wl_pointer_get_version(link->pointer) < WL_POINTER_FRAME_SINCE_VERSION) {
		send_frame(link);
	}
}

static void handle_motion(
	void *data, struct wl_pointer *mirror, uint32_t time, wl_fixed_t x, wl_fixed_t y) {
	struct seat_link *link = data;
	struct seat *seat = focused_seat(link);
	link->x = wl_fixed_to_double(x);
	link->y = wl_fixed_to_double(y);
	struct surface *surface = surface_from_mirror(link->entered);
	if (seat == NULL || surface == NULL) {
		return;
	}
	if (drag_of_pointer(seat) != NULL) {
		drag_motion(seat, time, surface, link->x, link->y);
	} else {
		wlr_seat_pointer_notify_motion(seat->wlr, time, link->x, link->y);
	}
	event_done(link);
}

void pointer_enter_again(struct seat_link *link) {
	struct seat *seat = seat_link_seat(link);
	struct surface *surface = surface_from_mirror(link->entered);

	if (seat != NULL && surface != NULL) {
		uint32_t begin = seat_serial_begin(link);
		wlr_seat_pointer_notify_enter(seat->wlr, surface->wlr, link->x, link->y);
		seat_serial_end(link, begin, link->enter_serial);
	}
}

void pointer_left(struct seat_link *link) {
	struct seat *seat = seat_link_seat(link);

	link->entered = NULL;
	if (seat != NULL && drag_of_pointer(seat) == link->connection->app) {
		drag_cancel_pointer(seat);
	}
}

static void handle_button(void *data, struct wl_pointer *mirror, uint32_t serial, uint32_t time,
	uint32_t button, uint32_t pressed) {
	struct seat_link *link = data;
	struct seat *seat = focused_seat(link);

	if (seat == NULL || pressed > WL_POINTER_BUTTON_STATE_PRESSED) {
		return;
	}
	uint32_t begin = seat_serial_begin(link);
	wlr_seat_pointer_notify_button(
		seat->wlr, time, button, (enum wl_pointer_button_state)pressed);
	seat_serial_end(link, begin, serial);
	event_done(link);
}

static void handle_axis(
	void *data, struct wl_pointer *mirror, uint32_t time, uint32_t axis, wl_fixed_t value) {
	struct seat_link *link = data;
	if (axis < 2) {
		link->axis[axis].moved = true;
		link->axis[axis].time = time;
		link->axis[axis].value += wl_fixed_to_double(value);
		event_done(link);
	}
}

static void handle_frame(void *data, struct wl_pointer *mirror) {
	struct seat_link *link = data;
	if (link->frame_due) {
		send_frame(link);
	}
}

static void handle_axis_source(void *data, struct wl_pointer *mirror, uint32_t source) {
	struct seat_link *link = data;
	link->axis_source = source;
}

static void handle_axis_stop(void *data, struct wl_pointer *mirror, uint32_t time, uint32_t axis) {
	struct seat_link *link = data;
	if (axis < 2) {
		link->axis[axis].stopped = true;
		link->axis[axis].time = time;
		event_done(link);
	}
}

static void handle_axis_discrete(
	void *data, struct wl_pointer *mirror, uint32_t axis, int32_t discrete) {
	struct seat_link *link = data;
	if (axis < 2) {
		link->axis[axis].value120 += discrete * WLR_POINTER_AXIS_DISCRETE_STEP;
	}
}

static void handle_axis_value120(
	void *data, struct wl_pointer *mirror, uint32_t axis, int32_t value120) {
	struct seat_link *link = data;
	if (axis < 2) {
		link->axis[axis].value120 += value120;
	}
}

static void handle_axis_relative_direction(
	void *data, struct wl_pointer *mirror, uint32_t axis, uint32_t direction) {
	struct seat_link *link = data;
	if (axis < 2) {
		link->axis[axis].direction = direction;
	}
}

static const struct wl_pointer_listener pointer_listener = {
	.enter = handle_enter,
	.leave = handle_leave,
	.motion = handle_motion,
	.button = handle_button,
	.axis = handle_axis,
	.frame = handle_frame,
	.axis_source = handle_axis_source,
	.axis_stop = handle_axis_stop,
	.axis_discrete = handle_axis_discrete,
	.axis_value120 = handle_axis_value120,
	.axis_relative_direction = handle_axis_relative_direction,
};

static enum wl_pointer_axis_source axis_source(
	const struct seat_link *link, const struct pointer_axis *axis) {
	if (link->axis_source <= WL_POINTER_AXIS_SOURCE_WHEEL_TILT) {
		return (enum wl_pointer_axis_source)link->axis_source;
	}
	return axis->value120 != 0 ? WL_POINTER_AXIS_SOURCE_WHEEL
				   : WL_POINTER_AXIS_SOURCE_CONTINUOUS;
}

static void send_frame(struct seat_link *link) {
	struct seat *seat = focused_seat(link);
	// One frame has one source
	enum wl_pointer_axis_source source =
		axis_source(link, &link->axis[link->axis[0].moved ? 0 : 1]);

	for (uint32_t i = 0; i < 2 && seat != NULL; i++) {
		const struct pointer_axis *axis = &link->axis[i];
		if (axis->moved && axis->value != 0) {
			wlr_seat_pointer_notify_axis(seat->wlr, axis->time, (enum wl_pointer_axis)i,
				axis->value, axis->value120, source,
				(enum wl_pointer_axis_relative_direction)axis->direction);
		}
		if (axis->stopped) { // which wlroots says with a value of zero
			wlr_seat_pointer_notify_axis(seat->wlr, axis->time, (enum wl_pointer_axis)i,
				0, 0, source, WL_POINTER_AXIS_RELATIVE_DIRECTION_IDENTICAL);
		}
	}
	if (seat != NULL) {
		wlr_seat_pointer_notify_frame(seat->wlr);
	}
	memset(link->axis, 0, sizeof(link->axis));
	link->axis_source = AXIS_SOURCE_UNKNOWN;
	link->frame_due = false;
}

void pointer_bind(struct seat_link *link) {
	struct connection *connection = link->connection;

	if (link->pointer != NULL) {
		return;
	}
	link->axis_source = AXIS_SOURCE_UNKNOWN;
	link->pointer = wl_seat_get_pointer(link->mirror);
	wl_pointer_add_listener(link->pointer, &pointer_listener, link);
	if (connection->cursor_shape != NULL) {
		link->shape = wp_cursor_shape_manager_v1_get_pointer(
			connection->cursor_shape, link->pointer);
	}
}

void pointer_unbind(struct seat_link *link) {
	if (link->pointer == NULL) {
		return;
	}
	if (link->shape != NULL) {
		wp_cursor_shape_device_v1_destroy(link->shape);
		link->shape = NULL;
	}
	if (wl_pointer_get_version(link->pointer) >= WL_POINTER_RELEASE_SINCE_VERSION) {
		wl_pointer_release(link->pointer);
	} else {
		wl_pointer_destroy(link->pointer);
	}
	link->pointer = NULL;
}
