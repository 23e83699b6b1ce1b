#include "cursor.h"

#include <linux/input-event-codes.h>
#include <math.h>
#include <time.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_pointer.h>
#include <wlr/types/wlr_relative_pointer_v1.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_xcursor_manager.h>
#include <wlr/types/wlr_xdg_shell.h>
#include <wlr/util/edges.h>

#include "action.h"
#include "compositor_config.h"
#include "constraint.h"
#include "cursor_image.h"
#include "interactive.h"
#include "keyboard.h"
#include "layer.h"
#include "popup.h"
#include "seat.h"
#include "selection.h"
#include "server.h"
#include "stacking.h"
#include "toplevel.h"

/* Two presses on a title bar within this time, in milliseconds, and this near to each other, in
 * logical pixels, maximise. */
#define DOUBLE_CLICK 400
#define DOUBLE_CLICK_REACH 6

static uint32_t now_msec(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

const char *cursor_edge_shape(uint32_t edges) {
	switch (edges) {
	case WLR_EDGE_TOP:
		return "n-resize";
	case WLR_EDGE_BOTTOM:
		return "s-resize";
	case WLR_EDGE_LEFT:
		return "w-resize";
	case WLR_EDGE_RIGHT:
		return "e-resize";
	case WLR_EDGE_TOP | WLR_EDGE_LEFT:
		return "nw-resize";
	case WLR_EDGE_TOP | WLR_EDGE_RIGHT:
		return "ne-resize";
	case WLR_EDGE_BOTTOM | WLR_EDGE_LEFT:
		return "sw-resize";
	case WLR_EDGE_BOTTOM | WLR_EDGE_RIGHT:
		return "se-resize";
	default:
		return "default";
	}
}

static void set_hovered(struct seat *seat, struct toplevel *toplevel, enum titlebar_button button) {
	if (seat->hovered != NULL && seat->hovered != toplevel) {
		frame_set_hovered(seat->hovered->frame, TITLEBAR_NONE);
	}
	seat->hovered = toplevel;
	if (toplevel != NULL) {
		frame_set_hovered(toplevel->frame, button);
	}
}

static struct frame_hit hit_frame(struct seat *seat, struct toplevel *toplevel) {
	return frame_hit(toplevel->frame, seat->cursor->x - toplevel->box.x,
		seat->cursor->y - toplevel->box.y);
}

/* A pressed button keeps the pointer with the surface it was pressed on, wherever it goes. */
static bool send_to_pressed(struct seat *seat, uint32_t time) {
	struct wlr_seat *wlr_seat = seat->wlr_seat;
	struct wlr_surface *surface = wlr_seat->pointer_state.focused_surface;
	if (wlr_seat->pointer_state.button_count == 0 || surface == NULL ||
		wlr_seat->drag != NULL || wlr_seat_pointer_has_grab(wlr_seat)) {
		return false;
	}
	double sx, sy;
	if (!node_surface_coords(
		    seat->server, surface, seat->cursor->x, seat->cursor->y, &sx, &sy)) {
		return false;
	}
	wlr_seat_pointer_notify_motion(wlr_seat, time, sx, sy);
	return true;
}

/* A client's cursor is not shown over another one's surface, even if that one asks for none. */
static void enter(struct seat *seat, const struct node_hit *hit) {
	struct wlr_seat *wlr_seat = seat->wlr_seat;
	const struct wlr_seat_client *before = wlr_seat->pointer_state.focused_client;
	wlr_seat_pointer_notify_enter(wlr_seat, hit->surface, hit->sx, hit->sy);
	// While something is dragged nobody has the pointer, and the cursor is that of who drags.
	if (wlr_seat->pointer_state.focused_client != before) {
		cursor_set_shape(seat, "default");
	}
}

void cursor_update(struct seat *seat, uint32_t time) {
	time = time != 0 ? time : now_msec();
	selection_follow_pointer(seat);
	if (seat->interactive.toplevel != NULL || send_to_pressed(seat, time)) {
		return;
	}
	struct node_hit hit = node_at(seat->server, seat->cursor->x, seat->cursor->y);
	struct toplevel *over =
		hit.node != NULL && hit.node->kind == NODE_TOPLEVEL ? hit.node->owner : NULL;
	if (hit.surface != NULL) {
		set_hovered(seat, NULL, TITLEBAR_NONE);
		enter(seat, &hit);
		wlr_seat_pointer_notify_motion(seat->wlr_seat, time, hit.sx, hit.sy);
		constraint_update(seat);
		return;
	}
	wlr_seat_pointer_notify_clear_focus(seat->wlr_seat);
	constraint_update(seat);
	struct frame_hit frame = {0};
	if (over != NULL) {
		frame = hit_frame(seat, over);
	}
	set_hovered(seat, over, frame.button);
	cursor_set_shape(seat, cursor_edge_shape(frame.edges));
}

/* Whoever has the pointer has the keyboard: content or frame, but no frame beside an open menu. */
static void focus_below_pointer(struct seat *seat) {
	const struct wlr_seat *wlr_seat = seat->wlr_seat;
	struct toplevel *toplevel = toplevel_from_surface(wlr_seat->pointer_state.focused_surface);
	if (toplevel == NULL && !popup_is_open(seat)) {
		toplevel = seat->hovered;
	}
	if (toplevel != NULL && toplevel != seat->focused && wlr_seat->drag == NULL &&
		wlr_seat->pointer_state.button_count == 0) {
		seat_focus(seat, toplevel);
	}
}

static void moved(struct seat *seat, struct wlr_pointer *pointer, uint32_t time, double dx,
	double dy, double dx_unaccel, double dy_unaccel) {
	seat_notify_activity(seat);
	wlr_relative_pointer_manager_v1_send_relative_motion(seat->server->globals.relative_pointer,
		seat->wlr_seat, (uint64_t)time * 1000, dx, dy, dx_unaccel, dy_unaccel);
	if (seat->interactive.toplevel == NULL && !constraint_apply(seat, &dx, &dy)) {
		return;
	}
	wlr_cursor_move(seat->cursor, &pointer->base, dx, dy);
	if (seat->interactive.toplevel != NULL) {
		interactive_update(seat);
		return;
	}
	cursor_update(seat, time);
	if (seat->server->config->focus == CONFIG_FOCUS_POINTER) {
		focus_below_pointer(seat);
	}
}

static void handle_motion(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, motion);
	const struct wlr_pointer_motion_event *event = data;
	moved(seat, event->pointer, event->time_msec, event->delta_x, event->delta_y,
		event->unaccel_dx, event->unaccel_dy);
}

static void handle_motion_absolute(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, motion_absolute);
	const struct wlr_pointer_motion_absolute_event *event = data;
	double lx, ly;
	wlr_cursor_absolute_to_layout_coords(
		seat->cursor, &event->pointer->base, event->x, event->y, &lx, &ly);
	double dx = lx - seat->cursor->x, dy = ly - seat->cursor->y;
	moved(seat, event->pointer, event->time_msec, dx, dy, dx, dy);
}

/* Super or Alt and a button anywhere on a window: move with the left, resize with the right. */
static bool press_with_modifier(struct seat *seat, struct toplevel *toplevel, uint32_t button) {
	uint32_t wanted = action_modifiers(seat->server->config->drag_modifiers);
	if (toplevel == NULL || (keyboard_modifiers(seat) & wanted) == 0) {
		return false;
	}
	if (button == BTN_LEFT) {
		interactive_begin(seat, toplevel, 0);
		return true;
	}
	if (button != BTN_RIGHT) {
		return false;
	}
	double x = seat->cursor->x - toplevel->box.x, y = seat->cursor->y - toplevel->box.y;
	uint32_t edges = x < toplevel->box.width / 2.0 ? WLR_EDGE_LEFT : WLR_EDGE_RIGHT;
	edges |= y < toplevel->box.height / 2.0 ? WLR_EDGE_TOP : WLR_EDGE_BOTTOM;
	interactive_begin(seat, toplevel, edges);
	return true;
}

static void press_frame(
	struct seat *seat, struct toplevel *toplevel, uint32_t button, uint32_t time) {
	struct frame_hit hit = hit_frame(seat, toplevel);
	if (button != BTN_LEFT) {
		return;
	}
	if (hit.edges != 0) {
		interactive_begin(seat, toplevel, hit.edges);
		return;
	}
	bool again = hit.button == TITLEBAR_NONE && seat->pressed.toplevel == toplevel &&
		     seat->pressed.button == TITLEBAR_NONE &&
		     time - seat->pressed.time < DOUBLE_CLICK &&
		     fabs(seat->cursor->x - seat->pressed.x) < DOUBLE_CLICK_REACH &&
		     fabs(seat->cursor->y - seat->pressed.y) < DOUBLE_CLICK_REACH;
	seat->pressed.toplevel = toplevel;
	seat->pressed.button = hit.button;
	seat->pressed.time = time;
	seat->pressed.x = seat->cursor->x;
	seat->pressed.y = seat->cursor->y;
	if (hit.button != TITLEBAR_NONE) {
		return;
	}
	if (again) {
		seat->pressed.toplevel = NULL;
		toplevel_set_layout(toplevel, toplevel->layout == TOPLEVEL_FLOATING
						      ? TOPLEVEL_MAXIMIZED
						      : TOPLEVEL_FLOATING);
		return;
	}
	interactive_begin(seat, toplevel, 0);
}

/* A title bar's button acts when it is released where it was pressed. */
static void release_frame(struct seat *seat) {
	struct toplevel *toplevel = seat->pressed.toplevel;
	if (toplevel == NULL || seat->pressed.button == TITLEBAR_NONE) {
		return;
	}
	enum titlebar_button button = seat->pressed.button;
	seat->pressed.toplevel = NULL;
	struct node_hit hit = node_at(seat->server, seat->cursor->x, seat->cursor->y);
	if (hit.surface != NULL || hit.node == NULL || hit.node->owner != toplevel ||
		hit_frame(seat, toplevel).button != button) {
		return;
	}
	switch (button) {
	case TITLEBAR_CLOSE:
		toplevel_close(toplevel);
		break;
	case TITLEBAR_MAXIMIZE:
		toplevel_set_layout(toplevel, toplevel->layout == TOPLEVEL_FLOATING
						      ? TOPLEVEL_MAXIMIZED
						      : TOPLEVEL_FLOATING);
		break;
	case TITLEBAR_MINIMIZE:
		toplevel_set_minimized(toplevel, true);
		break;
	case TITLEBAR_NONE:
		break;
	}
}

/* The window a point belongs to: its content, a menu of it, or its frame. */
static struct toplevel *hit_toplevel(const struct node_hit *hit) {
	struct toplevel *toplevel = toplevel_from_surface(hit->surface);
	if (toplevel == NULL && hit->node != NULL && hit->node->kind == NODE_TOPLEVEL) {
		toplevel = hit->node->owner;
	}
	return toplevel;
}

void cursor_focus_hit(struct seat *seat, const struct node_hit *hit) {
	struct toplevel *toplevel = hit_toplevel(hit);
	struct layer *layer = layer_from_surface(seat->server,
		hit->surface != NULL ? wlr_surface_get_root_surface(hit->surface) : NULL);
	if (layer != NULL && layer_wants_keyboard(layer)) {
		seat_focus_layer(seat, layer);
	} else if (toplevel != NULL) {
		if (seat->focused != toplevel || seat->focused_layer != NULL) {
			seat_focus(seat, toplevel);
		}
		if (seat->server->config->raise_on_focus) {
			stacking_raise(toplevel);
		}
	} else if (hit->node == NULL) {
		seat_focus(seat, NULL);
	}
}

/* Returns whether the press belongs to the client below it. */
static bool press(struct seat *seat, uint32_t button, uint32_t time) {
	struct node_hit hit = node_at(seat->server, seat->cursor->x, seat->cursor->y);
	struct toplevel *toplevel = hit_toplevel(&hit);
	if (popup_dismiss_by_press(seat, hit.surface)) {
		return false;
	}
	// A menu of the client that is pressed, or a drag: theirs, whatever they make of it.
	if (wlr_seat_pointer_has_grab(seat->wlr_seat)) {
		return true;
	}
	cursor_focus_hit(seat, &hit);
	if (press_with_modifier(seat, toplevel, button)) {
		return false;
	}
	if (hit.surface == NULL && toplevel != NULL) {
		press_frame(seat, toplevel, button, time);
		return false;
	}
	return hit.surface != NULL;
}

static void take(struct seat *seat, uint32_t code) {
	if (seat->taken_len < sizeof(seat->taken) / sizeof(seat->taken[0])) {
		seat->taken[seat->taken_len++] = code;
	}
}

static bool release_taken(struct seat *seat, uint32_t code) {
	for (size_t i = 0; i < seat->taken_len; i++) {
		if (seat->taken[i] == code) {
			seat->taken[i] = seat->taken[--seat->taken_len];
			return true;
		}
	}
	return false;
}

static void button(
	struct seat *seat, uint32_t code, enum wl_pointer_button_state state, uint32_t time) {
	seat_notify_activity(seat);
	if (state == WL_POINTER_BUTTON_STATE_PRESSED) {
		if (seat->interactive.toplevel == NULL && press(seat, code, time)) {
			wlr_seat_pointer_notify_button(seat->wlr_seat, time, code, state);
		} else {
			take(seat, code);
		}
		return;
	}
	if (seat->interactive.toplevel != NULL) {
		interactive_end(seat);
	}
	release_frame(seat);
	// Also after a move or resize that a client began with this press: it hears of the release.
	if (!release_taken(seat, code)) {
		wlr_seat_pointer_notify_button(seat->wlr_seat, time, code, state);
	}
	if (seat->wlr_seat->pointer_state.button_count == 0) {
		cursor_update(seat, time);
	}
}

static void handle_button(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, button);
	const struct wlr_pointer_button_event *event = data;
	button(seat, event->button, event->state, event->time_msec);
}

void cursor_emulate_motion(struct seat *seat, double lx, double ly, uint32_t time) {
	wlr_cursor_warp(seat->cursor, NULL, lx, ly);
	if (seat->interactive.toplevel != NULL) {
		interactive_update(seat);
	} else {
		cursor_update(seat, time);
	}
	wlr_seat_pointer_notify_frame(seat->wlr_seat);
}

void cursor_emulate_button(struct seat *seat, bool pressed, uint32_t time) {
	button(seat, BTN_LEFT,
		pressed ? WL_POINTER_BUTTON_STATE_PRESSED : WL_POINTER_BUTTON_STATE_RELEASED, time);
	wlr_seat_pointer_notify_frame(seat->wlr_seat);
}

static void handle_axis(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, axis);
	const struct wlr_pointer_axis_event *event = data;
	seat_notify_activity(seat);
	wlr_seat_pointer_notify_axis(seat->wlr_seat, event->time_msec, event->orientation,
		event->delta, event->delta_discrete, event->source, event->relative_direction);
}

static void handle_frame(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, frame);
	wlr_seat_pointer_notify_frame(seat->wlr_seat);
}

static void listen(
	struct wl_listener *listener, struct wl_signal *signal, wl_notify_func_t notify) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

void cursor_init(struct seat *seat) {
	struct wlr_cursor *cursor = seat->cursor;
	listen(&seat->motion, &cursor->events.motion, handle_motion);
	listen(&seat->motion_absolute, &cursor->events.motion_absolute, handle_motion_absolute);
	listen(&seat->button, &cursor->events.button, handle_button);
	listen(&seat->axis, &cursor->events.axis, handle_axis);
	listen(&seat->frame, &cursor->events.frame, handle_frame);
	cursor_image_init(seat);
}

void cursor_finish(struct seat *seat) {
	cursor_image_finish(seat);
	wl_list_remove(&seat->motion.link);
	wl_list_remove(&seat->motion_absolute.link);
	wl_list_remove(&seat->button.link);
	wl_list_remove(&seat->axis.link);
	wl_list_remove(&seat->frame.link);
}
