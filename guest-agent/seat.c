#include "seat.h"
#include "agent.h"
#include "app.h"
#include "connection.h"
#include "drag.h"
#include "server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-client-protocol.h>
#include <wlr/types/wlr_data_device.h>
#include <wlr/types/wlr_primary_selection.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/util/log.h>

#define SEAT_VERSION 9 // wlroots 0.20 speaks no later one to the applications

/* The local seat */

// Selections and drags stay inside the guest: an application's own clipboard works.

static void handle_request_set_selection(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, request_set_selection);
	struct wlr_seat_request_set_selection_event *event = data;
	wlr_seat_set_selection(seat->wlr, event->source, event->serial);
}

static void handle_request_set_primary_selection(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, request_set_primary_selection);
	struct wlr_seat_request_set_primary_selection_event *event = data;
	wlr_seat_set_primary_selection(seat->wlr, event->source, event->serial);
}

static void handle_request_start_drag(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, request_start_drag);
	drag_start(seat, data);
}

static struct seat *seat_create(struct agent *agent, const char *name) {
	struct seat *seat = calloc(1, sizeof(*seat));
	if (seat == NULL) {
		return NULL;
	}
	seat->agent = agent;
	seat->wlr = wlr_seat_create(agent->display, name);
	if (seat->wlr == NULL) {
		free(seat);
		return NULL;
	}
	seat->wlr->data = seat;
	keyboard_init(seat);
	cursor_init(seat);
	seat->request_set_selection.notify = handle_request_set_selection;
	wl_signal_add(&seat->wlr->events.request_set_selection, &seat->request_set_selection);
	seat->request_set_primary_selection.notify = handle_request_set_primary_selection;
	wl_signal_add(&seat->wlr->events.request_set_primary_selection,
		&seat->request_set_primary_selection);
	seat->request_start_drag.notify = handle_request_start_drag;
	wl_signal_add(&seat->wlr->events.request_start_drag, &seat->request_start_drag);
	wl_list_insert(agent->seats.prev, &seat->link);
	return seat;
}

void seat_destroy(struct seat *seat) {
	drag_cancel(seat);
	wl_list_remove(&seat->request_set_cursor.link);
	wl_list_remove(&seat->request_set_selection.link);
	wl_list_remove(&seat->request_set_primary_selection.link);
	wl_list_remove(&seat->request_start_drag.link);
	wl_list_remove(&seat->link);
	wlr_seat_set_keyboard(seat->wlr, NULL);
	wlr_seat_destroy(seat->wlr);
	keyboard_finish(seat);
	free(seat);
}

/* Ends all input of the seat, or with `only` that of one application. */
static void seat_reset(struct seat *seat, struct wl_client *only) {
	struct wlr_seat *wlr = seat->wlr;
	struct wlr_seat_client *client, *tmp;

	const struct app *dragging = drag_get_app(seat);
	if (dragging != NULL && (only == NULL || dragging->client == only)) {
		drag_cancel(seat);
	}
	client = wlr->pointer_state.focused_client;
	if (client != NULL && (only == NULL || client->client == only)) {
		wlr_seat_pointer_clear_focus(wlr);
	}
	client = wlr->keyboard_state.focused_client;
	if (client != NULL && (only == NULL || client->client == only)) {
		wlr_seat_keyboard_clear_focus(wlr);
		seat->keyboard.num_keycodes = 0;
	}
	wl_list_for_each_safe (client, tmp, &wlr->clients, link) {
		if (wlr_seat_touch_num_points(wlr) > 0 &&
			(only == NULL || client->client == only)) {
			wlr_seat_touch_notify_cancel(wlr, client);
		}
	}
}

void seat_forget_all(struct agent *agent) {
	struct seat *seat;
	wl_list_for_each (seat, &agent->seats, link) {
		seat_reset(seat, NULL);
		seat->present = false;
	}
}

void seat_sweep(struct agent *agent) {
	struct seat *seat, *tmp;
	wl_list_for_each_safe (seat, tmp, &agent->seats, link) {
		if (!seat->present) {
			seat_destroy(seat);
		}
	}
}

/* The links */

struct seat *seat_link_seat(const struct seat_link *link) {
	struct seat *seat;
	wl_list_for_each (seat, &link->connection->agent->seats, link) {
		if (seat->present && seat->global == link->global) {
			return seat;
		}
	}
	return NULL;
}

struct seat_link *seat_link_find(struct connection *connection, const struct seat *seat) {
	struct seat_link *link;
	if (connection == NULL || !seat->present) {
		return NULL;
	}
	wl_list_for_each (link, &connection->seats, link) {
		if (link->global == seat->global) {
			return link;
		}
	}
	return NULL;
}

void seat_forget_surface(struct connection *connection, const struct wl_surface *mirror) {
	struct seat_link *link;
	wl_list_for_each (link, &connection->seats, link) {
		if (link->entered == mirror) {
			pointer_left(link);
		}
	}
}

uint32_t seat_serial_begin(const struct seat_link *link) {
	return wl_display_get_serial(link->connection->agent->display);
}

void seat_serial_end(struct seat_link *link, uint32_t begin, uint32_t remote) {
	serial_map_add(&link->connection->serials, begin,
		wl_display_get_serial(link->connection->agent->display), remote);
}

/* The agent's own connection tells which seats there are. */
static void seat_describe(struct seat_link *link) {
	struct agent *agent = link->connection->agent;
	struct seat *seat = seat_link_seat(link), *other;

	if (link->name == NULL) {
		return; // capabilities can come before the name
	}
	if (seat == NULL) { // new, or after a reconnection the one that had its name
		wl_list_for_each (other, &agent->seats, link) {
			if (!other->present && strcmp(other->wlr->name, link->name) == 0) {
				seat = other;
				break;
			}
		}
		if (seat == NULL) {
			seat = seat_create(agent, link->name);
		}
		if (seat == NULL) {
			wlr_log_errno(WLR_ERROR, "cannot offer a seat to the applications");
			return;
		}
		seat->global = link->global;
		seat->present = true;
	}
	wlr_seat_set_capabilities(seat->wlr, link->capabilities);
}

static void handle_capabilities(void *data, struct wl_seat *mirror, uint32_t capabilities) {
	struct seat_link *link = data;
	bool own = link->connection->app == NULL;

	link->capabilities = capabilities;
	if (own) {
		seat_describe(link);
	}
	// The agent itself listens to the keyboard for its keymap only.
	if ((capabilities & WL_SEAT_CAPABILITY_KEYBOARD) != 0) {
		keyboard_bind(link);
	} else {
		keyboard_unbind(link);
	}
	if (!own && (capabilities & WL_SEAT_CAPABILITY_POINTER) != 0) {
		pointer_bind(link);
	} else {
		pointer_unbind(link);
	}
	if (!own && (capabilities & WL_SEAT_CAPABILITY_TOUCH) != 0) {
		touch_bind(link);
	} else {
		touch_unbind(link);
	}
}

static void handle_name(void *data, struct wl_seat *mirror, const char *name) {
	struct seat_link *link = data;
	if (link->connection->app == NULL && link->name == NULL) {
		link->name = strdup(name);
		seat_describe(link);
	}
}

static const struct wl_seat_listener seat_listener = {
	.capabilities = handle_capabilities,
	.name = handle_name,
};

void seat_bind(struct connection *connection, uint32_t global, uint32_t version) {
	struct seat_link *link = calloc(1, sizeof(*link));

	if (link == NULL || version < WL_SEAT_NAME_SINCE_VERSION) {
		free(link);
		return;
	}
	link->connection = connection;
	link->global = global;
	link->mirror = wl_registry_bind(connection->registry, global, &wl_seat_interface,
		version < SEAT_VERSION ? version : SEAT_VERSION);
	wl_seat_add_listener(link->mirror, &seat_listener, link);
	wl_list_insert(connection->seats.prev, &link->link);
}

void seat_link_destroy(struct seat_link *link) {
	struct connection *connection = link->connection;
	struct seat *seat = seat_link_seat(link);

	if (seat != NULL && connection->app != NULL) {
		seat_reset(seat, connection->app->client);
	}
	pointer_unbind(link);
	keyboard_unbind(link);
	touch_unbind(link);
	if (wl_seat_get_version(link->mirror) >= WL_SEAT_RELEASE_SINCE_VERSION) {
		wl_seat_release(link->mirror);
	} else {
		wl_seat_destroy(link->mirror);
	}
	if (seat != NULL && connection->app == NULL) {
		seat_destroy(
			seat); // unplugged; when the controller is gone it was forgotten before
	}
	free(link->name);
	wl_list_remove(&link->link);
	free(link);
}
