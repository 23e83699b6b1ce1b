#include "selection.h"

#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_data_device.h>
#include <wlr/types/wlr_primary_selection.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_seat.h>

#include "node.h"
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

/* Is something dragged by this finger? */
static bool is_dragged_by_finger(const struct seat *seat, int32_t id) {
	const struct wlr_drag *drag = seat->wlr_seat->drag;
	return drag != NULL && drag->grab_type == WLR_DRAG_GRAB_KEYBOARD_TOUCH &&
	       drag->touch_id == id;
}

static void move_icon(const struct wlr_drag *drag, double lx, double ly) {
	if (drag->icon != NULL && drag->icon->data != NULL) {
		struct wlr_scene_tree *tree = drag->icon->data;
		wlr_scene_node_set_position(&tree->node, (int)lx, (int)ly);
	}
}

void selection_follow_pointer(struct seat *seat) {
	const struct wlr_drag *drag = seat->wlr_seat->drag;
	if (drag != NULL && drag->grab_type == WLR_DRAG_GRAB_KEYBOARD_POINTER) {
		move_icon(drag, seat->cursor->x, seat->cursor->y);
	}
}

bool selection_follow_finger(struct seat *seat, int32_t id, double lx, double ly, uint32_t time) {
	struct wlr_seat *wlr_seat = seat->wlr_seat;
	if (!is_dragged_by_finger(seat, id)) {
		return false;
	}
	move_icon(wlr_seat->drag, lx, ly);
	struct node_hit hit = node_at(seat->server, lx, ly);
	if (hit.surface != NULL) {
		wlr_seat_touch_point_focus(wlr_seat, hit.surface, time, id, hit.sx, hit.sy);
		wlr_seat_touch_notify_motion(wlr_seat, time, id, hit.sx, hit.sy);
	} else {
		wlr_seat_touch_point_clear_focus(wlr_seat, time, id);
		wlr_seat_touch_notify_clear_focus(wlr_seat, time, id);
	}
	return true;
}

void selection_lift_finger(struct seat *seat, int32_t id) {
	const struct wlr_drag *drag = seat->wlr_seat->drag;
	// wlroots would drop it wherever it is.
	if (is_dragged_by_finger(seat, id) && drag->source != NULL &&
		(drag->focus_client == NULL || !drag->source->accepted ||
			drag->source->current_dnd_action == 0)) {
		wlr_data_source_destroy(drag->source);
	}
}

/* Where a drag by touch begins. */
static bool find_finger(struct seat *seat, const struct wlr_drag *drag, double *lx, double *ly) {
	const struct wlr_touch_point *point =
		wlr_seat_touch_get_point(seat->wlr_seat, drag->touch_id);
	double x, y; // of the layout's corner in the surface
	if (point == NULL || point->surface == NULL ||
		!node_surface_coords(seat->server, point->surface, 0, 0, &x, &y)) {
		return false;
	}
	*lx = point->sx - x;
	*ly = point->sy - y;
	return true;
}

/* The icon follows what drags it; wlroots destroys its tree with it. */
static void show_icon(struct seat *seat, struct wlr_drag *drag) {
	double lx = seat->cursor->x, ly = seat->cursor->y;
	drag->icon->data =
		wlr_scene_drag_icon_create(seat->server->stack[STACK_DRAG_ICONS], drag->icon);
	if (drag->grab_type == WLR_DRAG_GRAB_KEYBOARD_POINTER ||
		find_finger(seat, drag, &lx, &ly)) {
		move_icon(drag, lx, ly);
	}
}

static void handle_start_drag(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, start_drag);
	struct wlr_drag *drag = data;
	if (drag->icon != NULL) {
		show_icon(seat, drag);
	}
	// What it begins on is a target from the first moment on, not from the next motion.
	struct node_hit hit = node_at(seat->server, seat->cursor->x, seat->cursor->y);
	if (hit.surface != NULL && drag->grab_type == WLR_DRAG_GRAB_KEYBOARD_POINTER) {
		wlr_seat_pointer_notify_enter(seat->wlr_seat, hit.surface, hit.sx, hit.sy);
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
