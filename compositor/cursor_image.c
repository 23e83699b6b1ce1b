#include "cursor_image.h"

#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_cursor_shape_v1.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_xcursor_manager.h>

#include "cursor.h"
#include "label.h"
#include "seat.h"
#include "server.h"

/* How far from the point it points at a cursor may draw, in logical pixels: enough for the large
 * cursors of accessibility themes. */
#define SANDBOX_CURSOR_REACH 128

static void forget_image(struct seat *seat) {
	seat->image.shape = NULL;
	if (seat->image.surface != NULL) {
		seat->image.surface = NULL;
		wl_list_remove(&seat->image.commit.link);
		wl_list_remove(&seat->image.destroy.link);
	}
}

void cursor_set_shape(struct seat *seat, const char *name) {
	forget_image(seat);
	seat->image.shape = name;
	wlr_cursor_set_xcursor(seat->cursor, seat->server->xcursor, name);
}

/* The hotspot, moved by what the client's commits have moved it, and the size. */
static bool is_acceptable(struct seat *seat) {
	const struct wlr_surface_state *state = &seat->image.surface->current;
	const struct wl_client *client = wl_resource_get_client(seat->image.surface->resource);
	if (label_kind_of_client(seat->server, client) == LABEL_LOCAL) {
		return true;
	}
	if (state->width == 0 || state->height == 0) {
		return true; // nothing is drawn
	}
	int64_t left = seat->image.hotspot_x, top = seat->image.hotspot_y;
	int64_t right = state->width - left, bottom = state->height - top;
	return left <= SANDBOX_CURSOR_REACH && right <= SANDBOX_CURSOR_REACH &&
	       top <= SANDBOX_CURSOR_REACH && bottom <= SANDBOX_CURSOR_REACH;
}

static void handle_commit(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, image.commit);
	seat->image.hotspot_x -= seat->image.surface->current.dx;
	seat->image.hotspot_y -= seat->image.surface->current.dy;
	if (!is_acceptable(seat)) {
		cursor_set_shape(seat, "default");
	}
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, image.destroy);
	forget_image(seat);
}

static void handle_request(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, request_set_cursor);
	const struct wlr_seat_pointer_request_set_cursor_event *event = data;
	if (event->seat_client != seat->wlr_seat->pointer_state.focused_client ||
		seat->interactive.toplevel != NULL) {
		return;
	}
	forget_image(seat);
	if (event->surface != NULL) {
		seat->image.surface = event->surface;
		seat->image.hotspot_x = event->hotspot_x;
		seat->image.hotspot_y = event->hotspot_y;
		seat->image.commit.notify = handle_commit;
		wl_signal_add(&event->surface->events.commit, &seat->image.commit);
		seat->image.destroy.notify = handle_destroy;
		wl_signal_add(&event->surface->events.destroy, &seat->image.destroy);
		if (!is_acceptable(seat)) {
			cursor_set_shape(seat, "default");
			return;
		}
	}
	wlr_cursor_set_surface(seat->cursor, event->surface, event->hotspot_x, event->hotspot_y);
}

static void handle_shape(struct wl_listener *listener, void *data) {
	const struct wlr_cursor_shape_manager_v1_request_set_shape_event *event = data;
	struct seat *seat = event->seat_client->seat->data;
	if (event->device_type == WLR_CURSOR_SHAPE_MANAGER_V1_DEVICE_TYPE_POINTER &&
		event->seat_client == seat->wlr_seat->pointer_state.focused_client &&
		seat->interactive.toplevel == NULL) {
		cursor_set_shape(seat, wlr_cursor_shape_v1_name(event->shape));
	}
}

void cursor_image_init(struct seat *seat) {
	seat->request_set_cursor.notify = handle_request;
	wl_signal_add(&seat->wlr_seat->events.request_set_cursor, &seat->request_set_cursor);
	cursor_set_shape(seat, "default");
}

void cursor_image_finish(struct seat *seat) {
	forget_image(seat);
	wl_list_remove(&seat->request_set_cursor.link);
}

void cursor_image_init_shapes(struct server *server) {
	server->request_set_shape.notify = handle_shape;
	wl_signal_add(&server->globals.cursor_shape->events.request_set_shape,
		&server->request_set_shape);
}

void cursor_image_finish_shapes(struct server *server) {
	wl_list_remove(&server->request_set_shape.link);
}
