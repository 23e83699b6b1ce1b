#include "drag.h"
#include "app.h"
#include "connection.h"
#include "seat.h"
#include "surface.h"
#include "xdg.h"
#include <math.h>
#include <stdlib.h>
#include <wayland-client-protocol.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_data_device.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_subcompositor.h>
#include <wlr/types/wlr_xdg_shell.h>

struct drag {
	struct seat *seat;
	struct app *app;
	struct wlr_drag *wlr;
	struct surface *icon; // NULL: none, or it is gone
	struct wl_subsurface *mirror; // of the icon; NULL while there is none
	int32_t dx, dy; // of the icon from the point that drags
	int32_t x, y; // of that point in the window

	struct wl_listener destroy;
};

/* The surface with a role of its own that a subsurface is part of, x and y moved to it. */
static struct wlr_surface *to_root(struct wlr_surface *surface, double *x, double *y) {
	struct wlr_subsurface *sub = wlr_subsurface_try_from_wlr_surface(surface);
	while (sub != NULL && sub->parent != NULL) {
		*x += sub->current.x;
		*y += sub->current.y;
		surface = sub->parent;
		sub = wlr_subsurface_try_from_wlr_surface(surface);
	}
	return surface;
}

/* The window that a menu stands on, x and y moved to it. */
static struct wlr_surface *to_window(struct wlr_surface *root, double *x, double *y) {
	struct wlr_xdg_popup *popup = wlr_xdg_popup_try_from_wlr_surface(root);
	while (popup != NULL && popup->parent != NULL &&
		wlr_xdg_surface_try_from_wlr_surface(popup->parent) != NULL) {
		double px, py;
		wlr_xdg_popup_get_position(popup, &px, &py);
		*x += px;
		*y += py;
		root = to_root(popup->parent, x, y);
		popup = wlr_xdg_popup_try_from_wlr_surface(root);
	}
	return root;
}

/* The surface at x, y of a window, its menus included; x and y are moved to it. NULL: none. */
static struct wlr_surface *surface_at(struct wlr_surface *window, double *x, double *y) {
	struct wlr_xdg_surface *xdg = wlr_xdg_surface_try_from_wlr_surface(window);
	return xdg != NULL ? wlr_xdg_surface_surface_at(xdg, *x, *y, x, y) : NULL;
}

/* The icon */

static void hide_icon(struct drag *drag) {
	if (drag->mirror != NULL) {
		wl_subsurface_destroy(drag->mirror);
		drag->mirror = NULL;
	}
}

/* The window's mirror applies where the icon is. */
static void place_icon(struct drag *drag, struct surface *window) {
	wl_subsurface_set_position(drag->mirror, drag->x + drag->dx, drag->y + drag->dy);
	window->pending = true;
	surface_update(window);
}

static void show_icon(struct drag *drag, struct surface *window) {
	struct connection *connection = surface_connection(window);

	if (drag->icon == NULL || drag->mirror != NULL || window->mirror == NULL ||
		connection == NULL || connection->subcompositor == NULL) {
		return;
	}
	if (window->xdg != NULL) {
		xdg_fix_geometry(window->xdg);
	}
	surface_realize(drag->icon);
	drag->mirror = wl_subcompositor_get_subsurface(
		connection->subcompositor, drag->icon->mirror, window->mirror);
	wl_subsurface_set_desync(drag->mirror);
	surface_mark(drag->icon);
	surface_update(drag->icon);
}

void drag_icon_unrealize(struct surface *icon) {
	hide_icon(icon->drag);
}

void drag_icon_offset(struct surface *icon, int32_t dx, int32_t dy) {
	icon->drag->dx += dx;
	icon->drag->dy += dy;
}

void drag_icon_forget(struct surface *icon) {
	hide_icon(icon->drag);
	icon->drag->icon = NULL;
	icon->drag = NULL;
}

/* Motion */

static bool is_by_touch(const struct drag *drag) {
	return drag->wlr->grab_type == WLR_DRAG_GRAB_KEYBOARD_TOUCH;
}

struct app *drag_get_app(const struct seat *seat) {
	return seat->drag != NULL ? seat->drag->app : NULL;
}

struct app *drag_of_pointer(const struct seat *seat) {
	return seat->drag != NULL && !is_by_touch(seat->drag) ? seat->drag->app : NULL;
}

bool drag_is_of_finger(const struct seat *seat, int32_t id) {
	return seat->drag != NULL && is_by_touch(seat->drag) && seat->drag->wlr->touch_id == id;
}

/* Where wlroots is to see the drag. Outside of the window it is nowhere. */
static void focus(
	struct drag *drag, uint32_t time, struct wlr_surface *surface, double x, double y) {
	struct wlr_seat *seat = drag->seat->wlr;
	int32_t id = drag->wlr->touch_id;

	if (!is_by_touch(drag)) {
		if (surface != NULL) {
			wlr_seat_pointer_notify_enter(seat, surface, x, y);
		} else {
			wlr_seat_pointer_notify_clear_focus(seat);
		}
	} else if (surface != NULL) {
		wlr_seat_touch_point_focus(seat, surface, time, id, x, y);
	} else {
		wlr_seat_touch_point_clear_focus(seat, time, id);
		wlr_seat_touch_notify_clear_focus(seat, time, id);
	}
}

void drag_motion(struct seat *seat, uint32_t time, struct surface *pressed, double x, double y) {
	struct drag *drag = seat->drag;
	struct surface *root = surface_from_wlr(to_root(pressed->wlr, &x, &y));

	drag->x = (int32_t)floor(x);
	drag->y = (int32_t)floor(y);
	show_icon(drag, root);
	if (drag->mirror != NULL) {
		place_icon(drag, root);
	}
	struct wlr_surface *below = to_window(root->wlr, &x, &y);
	below = surface_at(below, &x, &y);
	focus(drag, time, below, x, y);
	if (below == NULL || time == 0) {
		return;
	}
	if (is_by_touch(drag)) {
		wlr_seat_touch_notify_motion(seat->wlr, time, drag->wlr->touch_id, x, y);
	} else {
		wlr_seat_pointer_notify_motion(seat->wlr, time, x, y);
	}
}

/* Beginning and end */

/* Runs when wlroots has ended its grabs. */
static void handle_destroy(struct wl_listener *listener, void *data) {
	struct drag *drag = wl_container_of(listener, drag, destroy);
	struct seat *seat = drag->seat;
	struct seat_link *link =
		is_by_touch(drag) ? NULL : seat_link_find(drag->app->connection, seat);

	if (drag->icon != NULL) {
		drag_icon_forget(drag->icon);
	}
	wl_list_remove(&drag->destroy.link);
	seat->drag = NULL;
	free(drag);
	if (link != NULL) {
		pointer_enter_again(link);
	}
}

static struct drag *drag_create(struct seat *seat, struct wlr_drag *wlr) {
	struct drag *drag = calloc(1, sizeof(*drag));
	if (drag == NULL) {
		return NULL;
	}
	drag->seat = seat;
	drag->app = app_from_client(seat->agent, wlr->seat_client->client);
	drag->wlr = wlr;
	if (wlr->icon != NULL) {
		drag->icon = surface_from_wlr(wlr->icon->surface);
		drag->icon->drag = drag;
	}
	drag->destroy.notify = handle_destroy;
	wl_signal_add(&wlr->events.destroy, &drag->destroy);
	seat->drag = drag;
	return drag;
}

void drag_start(struct seat *seat, struct wlr_seat_request_start_drag_event *event) {
	struct wlr_seat *wlr = seat->wlr;
	struct wlr_touch_point *point = NULL;
	struct surface *origin = surface_from_wlr(event->origin);
	double x = wlr->pointer_state.sx, y = wlr->pointer_state.sy;

	bool granted =
		wlr_seat_validate_pointer_grab_serial(wlr, event->origin, event->serial) ||
		wlr_seat_validate_touch_grab_serial(wlr, event->origin, event->serial, &point);
	if (!granted || drag_create(seat, event->drag) == NULL) {
		wlr_data_source_destroy(event->drag->source);
		return;
	}
	if (point != NULL) {
		x = point->sx;
		y = point->sy;
		wlr_seat_start_touch_drag(wlr, event->drag, event->serial, point);
	} else {
		wlr_seat_start_pointer_drag(wlr, event->drag, event->serial);
	}
	drag_motion(seat, 0, origin, x, y);
}

void drag_lift(struct seat *seat) {
	const struct wlr_drag *wlr = seat->drag->wlr;
	// wlroots would drop it wherever it is.
	if (wlr->source != NULL && (wlr->focus_client == NULL || !wlr->source->accepted ||
					   wlr->source->current_dnd_action == 0)) {
		drag_cancel(seat);
	}
}

void drag_cancel(struct seat *seat) {
	struct drag *drag = seat->drag;

	if (drag == NULL) {
		return;
	}
	if (drag->wlr->source != NULL) {
		wlr_data_source_destroy(drag->wlr->source); // which ends the drag
	} else if (is_by_touch(drag)) {
		wlr_seat_touch_end_grab(seat->wlr);
	} else {
		wlr_seat_pointer_end_grab(seat->wlr);
	}
}

void drag_cancel_pointer(struct seat *seat) {
	if (drag_of_pointer(seat) != NULL) {
		drag_cancel(seat);
	}
}
