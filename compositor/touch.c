#include "touch.h"

#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_touch.h>

#include "cursor.h"
#include "node.h"
#include "popup.h"
#include "seat.h"
#include "selection.h"
#include "server.h"

static void handle_down(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, touch_down);
	const struct wlr_touch_down_event *event = data;
	double lx, ly;
	seat_notify_activity(seat);
	wlr_cursor_absolute_to_layout_coords(
		seat->cursor, &event->touch->base, event->x, event->y, &lx, &ly);
	struct node_hit hit = node_at(seat->server, lx, ly);
	if (popup_dismiss_by_press(seat, hit.surface)) {
		return;
	}
	if (hit.surface != NULL && wlr_surface_accepts_touch(hit.surface, seat->wlr_seat)) {
		cursor_focus_hit(seat, &hit);
		wlr_seat_touch_notify_down(seat->wlr_seat, hit.surface, event->time_msec,
			event->touch_id, hit.sx, hit.sy);
		return;
	}
	// Frames, and clients that know no touch, are worked as by the pointer.
	if (seat->touch_pointer.active) {
		return;
	}
	seat->touch_pointer.active = true;
	seat->touch_pointer.id = event->touch_id;
	cursor_emulate_motion(seat, lx, ly, event->time_msec);
	cursor_emulate_button(seat, true, event->time_msec);
}

static void handle_motion(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, touch_motion);
	const struct wlr_touch_motion_event *event = data;
	double lx, ly;
	seat_notify_activity(seat);
	wlr_cursor_absolute_to_layout_coords(
		seat->cursor, &event->touch->base, event->x, event->y, &lx, &ly);
	if (seat->touch_pointer.active && seat->touch_pointer.id == event->touch_id) {
		cursor_emulate_motion(seat, lx, ly, event->time_msec);
		return;
	}
	struct wlr_touch_point *point = wlr_seat_touch_get_point(seat->wlr_seat, event->touch_id);
	if (point == NULL) {
		return;
	}
	double sx, sy;
	if (!selection_follow_finger(seat, event->touch_id, lx, ly, event->time_msec) &&
		node_surface_coords(seat->server, point->surface, lx, ly, &sx, &sy)) {
		wlr_seat_touch_notify_motion(
			seat->wlr_seat, event->time_msec, event->touch_id, sx, sy);
	}
}

static void handle_up(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, touch_up);
	const struct wlr_touch_up_event *event = data;
	seat_notify_activity(seat);
	if (seat->touch_pointer.active && seat->touch_pointer.id == event->touch_id) {
		seat->touch_pointer.active = false;
		cursor_emulate_button(seat, false, event->time_msec);
		return;
	}
	if (wlr_seat_touch_get_point(seat->wlr_seat, event->touch_id) != NULL) {
		selection_lift_finger(seat, event->touch_id);
		wlr_seat_touch_notify_up(seat->wlr_seat, event->time_msec, event->touch_id);
	}
}

static void handle_cancel(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, touch_cancel);
	const struct wlr_touch_cancel_event *event = data;
	if (seat->touch_pointer.active && seat->touch_pointer.id == event->touch_id) {
		seat->touch_pointer.active = false;
		seat->pressed.toplevel = NULL; // no button of a title bar acts
		cursor_emulate_button(seat, false, event->time_msec);
		return;
	}
	struct wlr_touch_point *point = wlr_seat_touch_get_point(seat->wlr_seat, event->touch_id);
	if (point != NULL && point->client != NULL) {
		wlr_seat_touch_notify_cancel(seat->wlr_seat, point->client);
	}
}

static void handle_frame(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, touch_frame);
	wlr_seat_touch_notify_frame(seat->wlr_seat);
}

static void listen(
	struct wl_listener *listener, struct wl_signal *signal, wl_notify_func_t notify) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

void touch_init(struct seat *seat) {
	struct wlr_cursor *cursor = seat->cursor;
	listen(&seat->touch_down, &cursor->events.touch_down, handle_down);
	listen(&seat->touch_motion, &cursor->events.touch_motion, handle_motion);
	listen(&seat->touch_up, &cursor->events.touch_up, handle_up);
	listen(&seat->touch_cancel, &cursor->events.touch_cancel, handle_cancel);
	listen(&seat->touch_frame, &cursor->events.touch_frame, handle_frame);
}

void touch_finish(struct seat *seat) {
	wl_list_remove(&seat->touch_down.link);
	wl_list_remove(&seat->touch_motion.link);
	wl_list_remove(&seat->touch_up.link);
	wl_list_remove(&seat->touch_cancel.link);
	wl_list_remove(&seat->touch_frame.link);
}
