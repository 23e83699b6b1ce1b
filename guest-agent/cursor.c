#include "cursor.h"
#include "agent.h"
#include "app.h"
#include "connection.h"
#include "seat.h"
#include "surface.h"
#include <cursor-shape-v1-client-protocol.h>
#include <wayland-client-protocol.h>
#include <wlr/types/wlr_cursor_shape_v1.h>
#include <wlr/types/wlr_seat.h>

/* The client's pointer on the controller and the controller's serial; NULL when either is gone. */
static struct seat_link *find_pointer(
	struct wlr_seat_client *client, uint32_t local, uint32_t *remote) {
	struct seat *seat = client->seat->data;
	struct app *app = app_from_client(seat->agent, client->client);
	struct seat_link *link = seat_link_find(app->connection, seat);

	if (link == NULL || link->pointer == NULL) {
		return NULL;
	}
	*remote = serial_map_find(&app->connection->serials, local);
	return *remote != 0 ? link : NULL;
}

static void handle_request_set_cursor(struct wl_listener *listener, void *data) {
	struct wlr_seat_pointer_request_set_cursor_event *event = data;
	uint32_t serial;
	struct seat_link *link = find_pointer(event->seat_client, event->serial, &serial);

	if (event->surface == NULL) {
		if (link != NULL) {
			wl_pointer_set_cursor(link->pointer, serial, NULL, 0, 0);
		}
		return;
	}
	struct surface *surface = surface_from_wlr(event->surface);
	surface->cursor = true;
	surface_realize(surface);
	if (link != NULL && surface->mirror != NULL) {
		wl_pointer_set_cursor(
			link->pointer, serial, surface->mirror, event->hotspot_x, event->hotspot_y);
	}
	surface_update(surface);
}

void cursor_set_shape(const struct wlr_cursor_shape_manager_v1_request_set_shape_event *event) {
	uint32_t serial;
	struct seat_link *link = find_pointer(event->seat_client, event->serial, &serial);

	if (link != NULL && link->shape != NULL &&
		event->device_type == WLR_CURSOR_SHAPE_MANAGER_V1_DEVICE_TYPE_POINTER) {
		wp_cursor_shape_device_v1_set_shape(link->shape, serial, event->shape);
	}
}

void cursor_init(struct seat *seat) {
	seat->request_set_cursor.notify = handle_request_set_cursor;
	wl_signal_add(&seat->wlr->events.request_set_cursor, &seat->request_set_cursor);
}
