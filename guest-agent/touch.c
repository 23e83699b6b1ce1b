#include "agent.h"
#include "app.h"
#include "connection.h"
#include "drag.h"
#include "seat.h"
#include "surface.h"
#include <wayland-client-protocol.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_seat.h>

static void handle_down(void *data, struct wl_touch *mirror, uint32_t serial, uint32_t time,
	struct wl_surface *target, int32_t id, wl_fixed_t x, wl_fixed_t y) {
	struct seat_link *link = data;
	struct seat *seat = seat_link_seat(link);
	struct surface *surface = surface_from_mirror(target);

	if (seat == NULL || surface == NULL || wlr_seat_touch_get_point(seat->wlr, id) != NULL) {
		return;
	}
	uint32_t begin = seat_serial_begin(link);
	wlr_seat_touch_notify_down(
		seat->wlr, surface->wlr, time, id, wl_fixed_to_double(x), wl_fixed_to_double(y));
	seat_serial_end(link, begin, serial);
}

/* The seat, if it has this point and the link's application holds it. */
static struct seat *seat_with_point(struct seat_link *link, int32_t id) {
	struct seat *seat = seat_link_seat(link);
	struct wlr_touch_point *point =
		seat != NULL ? wlr_seat_touch_get_point(seat->wlr, id) : NULL;
	return point != NULL && point->client->client == link->connection->app->client ? seat
										       : NULL;
}

static void handle_up(
	void *data, struct wl_touch *mirror, uint32_t serial, uint32_t time, int32_t id) {
	struct seat_link *link = data;
	struct seat *seat = seat_with_point(link, id);

	if (seat != NULL) {
		uint32_t begin = seat_serial_begin(link);
		if (drag_is_of_finger(seat, id)) {
			drag_lift(seat);
		}
		wlr_seat_touch_notify_up(seat->wlr, time, id);
		seat_serial_end(link, begin, serial);
	}
}

static void handle_motion(void *data, struct wl_touch *mirror, uint32_t time, int32_t id,
	wl_fixed_t x, wl_fixed_t y) {
	struct seat *seat = seat_with_point(data, id);
	double sx = wl_fixed_to_double(x), sy = wl_fixed_to_double(y);
	if (seat == NULL) {
		return;
	}
	const struct wlr_touch_point *point = wlr_seat_touch_get_point(seat->wlr, id);
	if (!drag_is_of_finger(seat, id)) {
		wlr_seat_touch_notify_motion(seat->wlr, time, id, sx, sy);
	} else if (point->surface != NULL) {
		drag_motion(seat, time, surface_from_wlr(point->surface), sx, sy);
	}
}

static void handle_frame(void *data, struct wl_touch *mirror) {
	struct seat *seat = seat_link_seat(data);
	if (seat != NULL) {
		wlr_seat_touch_notify_frame(seat->wlr);
	}
}

static void handle_cancel(void *data, struct wl_touch *mirror) {
	struct seat_link *link = data;
	struct seat *seat = seat_link_seat(link);
	struct wlr_seat_client *client = seat != NULL ? wlr_seat_client_for_wl_client(seat->wlr,
								link->connection->app->client)
						      : NULL;
	if (client != NULL) {
		wlr_seat_touch_notify_cancel(seat->wlr, client);
	}
}

static void handle_shape(
	void *data, struct wl_touch *mirror, int32_t id, wl_fixed_t major, wl_fixed_t minor) {
	// wlroots cannot tell it to the application
}

static void handle_orientation(
	void *data, struct wl_touch *mirror, int32_t id, wl_fixed_t orientation) {
	// nor this
}

static const struct wl_touch_listener touch_listener = {
	.down = handle_down,
	.up = handle_up,
	.motion = handle_motion,
	.frame = handle_frame,
	.cancel = handle_cancel,
	.shape = handle_shape,
	.orientation = handle_orientation,
};

void touch_bind(struct seat_link *link) {
	if (link->touch == NULL) {
		link->touch = wl_seat_get_touch(link->mirror);
		wl_touch_add_listener(link->touch, &touch_listener, link);
	}
}

void touch_unbind(struct seat_link *link) {
	if (link->touch == NULL) {
		return;
	}
	if (wl_touch_get_version(link->touch) >= WL_TOUCH_RELEASE_SINCE_VERSION) {
		wl_touch_release(link->touch);
	} else {
		wl_touch_destroy(link->touch);
	}
	link->touch = NULL;
}
