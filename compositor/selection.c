#include "selection.h"

#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_data_device.h>
#include <wlr/types/wlr_primary_selection.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_seat.h>

#include "seat.h"
#include "server.h"

static void handle_set_selection(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, request_set_selection);
	struct wlr_seat_request_set_selection_event *event = data;
	wlr_seat_set_selection(seat->wlr_seat, event->source, event->serial);
}

static void handle_set_primary(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, request_set_primary_selection);
	struct wlr_seat_request_set_primary_selection_event *event = data;
	wlr_seat_set_primary_selection(seat->wlr_seat, event->source, event->serial);
}

static void handle_request_start_drag(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, request_start_drag);
	struct wlr_seat_request_start_drag_event *event = data;
	struct wlr_touch_point *point;
	if (wlr_seat_validate_pointer_grab_serial(seat->wlr_seat, event->origin, event->serial)) {
		wlr_seat_start_pointer_drag(seat->wlr_seat, event->drag, event->serial);
	} else if (wlr_seat_validate_touch_grab_serial(
			   seat->wlr_seat, event->origin, event->serial, &point)) {
		wlr_seat_start_touch_drag(seat->wlr_seat, event->drag, event->serial, point);
	} else {
		wlr_data_source_destroy(event->drag->source);
	}
}

/* The icon follows the pointer; wlroots destroys its tree with it. */
static void handle_start_drag(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, start_drag);
	struct wlr_drag *drag = data;
	if (drag->icon == NULL) {
		return;
	}
	struct wlr_scene_tree *tree =
		wlr_scene_drag_icon_create(seat->server->stack[STACK_DRAG_ICONS], drag->icon);
	if (tree != NULL) {
		drag->icon->data = tree;
		wlr_scene_node_set_position(
			&tree->node, (int)seat->cursor->x, (int)seat->cursor->y);
	}
}

static void listen(
	struct wl_listener *listener, struct wl_signal *signal, wl_notify_func_t notify) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

void selection_init(struct seat *seat) {
	struct wlr_seat *wlr_seat = seat->wlr_seat;
	listen(&seat->request_set_selection, &wlr_seat->events.request_set_selection,
		handle_set_selection);
	listen(&seat->request_set_primary_selection,
		&wlr_seat->events.request_set_primary_selection, handle_set_primary);
	listen(&seat->request_start_drag, &wlr_seat->events.request_start_drag,
		handle_request_start_drag);
	listen(&seat->start_drag, &wlr_seat->events.start_drag, handle_start_drag);
}

void selection_finish(struct seat *seat) {
	wl_list_remove(&seat->request_set_selection.link);
	wl_list_remove(&seat->request_set_primary_selection.link);
	wl_list_remove(&seat->request_start_drag.link);
	wl_list_remove(&seat->start_drag.link);
}
