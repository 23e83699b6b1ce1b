#include "gesture.h"

#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_pointer.h>
#include <wlr/types/wlr_pointer_gestures_v1.h>

#include "seat.h"
#include "server.h"

static struct wlr_pointer_gestures_v1 *gestures(struct seat *seat) {
	seat_notify_activity(seat);
	return seat->server->globals.pointer_gestures;
}

static void handle_swipe_begin(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, swipe_begin);
	const struct wlr_pointer_swipe_begin_event *event = data;
	wlr_pointer_gestures_v1_send_swipe_begin(
		gestures(seat), seat->wlr_seat, event->time_msec, event->fingers);
}

static void handle_swipe_update(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, swipe_update);
	const struct wlr_pointer_swipe_update_event *event = data;
	wlr_pointer_gestures_v1_send_swipe_update(
		gestures(seat), seat->wlr_seat, event->time_msec, event->dx, event->dy);
}

static void handle_swipe_end(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, swipe_end);
	const struct wlr_pointer_swipe_end_event *event = data;
	wlr_pointer_gestures_v1_send_swipe_end(
		gestures(seat), seat->wlr_seat, event->time_msec, event->cancelled);
}

static void handle_pinch_begin(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, pinch_begin);
	const struct wlr_pointer_pinch_begin_event *event = data;
	wlr_pointer_gestures_v1_send_pinch_begin(
		gestures(seat), seat->wlr_seat, event->time_msec, event->fingers);
}

static void handle_pinch_update(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, pinch_update);
	const struct wlr_pointer_pinch_update_event *event = data;
	wlr_pointer_gestures_v1_send_pinch_update(gestures(seat), seat->wlr_seat, event->time_msec,
		event->dx, event->dy, event->scale, event->rotation);
}

static void handle_pinch_end(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, pinch_end);
	const struct wlr_pointer_pinch_end_event *event = data;
	wlr_pointer_gestures_v1_send_pinch_end(
		gestures(seat), seat->wlr_seat, event->time_msec, event->cancelled);
}

static void handle_hold_begin(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, hold_begin);
	const struct wlr_pointer_hold_begin_event *event = data;
	wlr_pointer_gestures_v1_send_hold_begin(
		gestures(seat), seat->wlr_seat, event->time_msec, event->fingers);
}

static void handle_hold_end(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, hold_end);
	const struct wlr_pointer_hold_end_event *event = data;
	wlr_pointer_gestures_v1_send_hold_end(
		gestures(seat), seat->wlr_seat, event->time_msec, event->cancelled);
}

static void listen(
	struct wl_listener *listener, struct wl_signal *signal, wl_notify_func_t notify) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

void gesture_init(struct seat *seat) {
	struct wlr_cursor *cursor = seat->cursor;
	listen(&seat->swipe_begin, &cursor->events.swipe_begin, handle_swipe_begin);
	listen(&seat->swipe_update, &cursor->events.swipe_update, handle_swipe_update);
	listen(&seat->swipe_end, &cursor->events.swipe_end, handle_swipe_end);
	listen(&seat->pinch_begin, &cursor->events.pinch_begin, handle_pinch_begin);
	listen(&seat->pinch_update, &cursor->events.pinch_update, handle_pinch_update);
	listen(&seat->pinch_end, &cursor->events.pinch_end, handle_pinch_end);
	listen(&seat->hold_begin, &cursor->events.hold_begin, handle_hold_begin);
	listen(&seat->hold_end, &cursor->events.hold_end, handle_hold_end);
}

void gesture_finish(struct seat *seat) {
	wl_list_remove(&seat->swipe_begin.link);
	wl_list_remove(&seat->swipe_update.link);
	wl_list_remove(&seat->swipe_end.link);
	wl_list_remove(&seat->pinch_begin.link);
	wl_list_remove(&seat->pinch_update.link);
	wl_list_remove(&seat->pinch_end.link);
	wl_list_remove(&seat->hold_begin.link);
	wl_list_remove(&seat->hold_end.link);
}
