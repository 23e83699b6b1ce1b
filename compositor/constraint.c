#include "constraint.h"

#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_pointer_constraints_v1.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/util/region.h>

#include "node.h"
#include "seat.h"
#include "server.h"
#include "toplevel.h"

/* The constraint that should hold now, or NULL. */
static struct wlr_pointer_constraint_v1 *find(struct seat *seat) {
	struct wlr_surface *surface = seat->wlr_seat->pointer_state.focused_surface;
	if (surface == NULL || seat->focused == NULL || seat->focused_layer != NULL ||
		toplevel_from_surface(surface) != seat->focused) {
		return NULL;
	}
	return wlr_pointer_constraints_v1_constraint_for_surface(
		seat->server->globals.pointer_constraints, surface, seat->wlr_seat);
}

/* A client that locked the pointer says where in its surface it would like to find it again. */
static void warp_to_hint(struct seat *seat, struct wlr_pointer_constraint_v1 *constraint) {
	struct wlr_surface *surface = constraint->surface;
	double x = constraint->current.cursor_hint.x, y = constraint->current.cursor_hint.y;
	double sx, sy;
	if (!constraint->current.cursor_hint.enabled || x < 0 || y < 0 ||
		x >= surface->current.width || y >= surface->current.height ||
		!node_surface_coords(
			seat->server, surface, seat->cursor->x, seat->cursor->y, &sx, &sy)) {
		return;
	}
	wlr_cursor_warp(seat->cursor, NULL, seat->cursor->x + x - sx, seat->cursor->y + y - sy);
	if (surface == seat->wlr_seat->pointer_state.focused_surface) {
		wlr_seat_pointer_warp(seat->wlr_seat, x, y);
	}
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, constraint_destroy);
	struct wlr_pointer_constraint_v1 *constraint = data;
	wl_list_remove(&seat->constraint_destroy.link);
	seat->constraint = NULL;
	if (constraint->type == WLR_POINTER_CONSTRAINT_V1_LOCKED) {
		warp_to_hint(seat, constraint);
	}
}

void constraint_update(struct seat *seat) {
	struct wlr_pointer_constraint_v1 *constraint = find(seat);
	if (constraint == seat->constraint) {
		return;
	}
	if (seat->constraint != NULL) {
		struct wlr_pointer_constraint_v1 *old = seat->constraint;
		wl_list_remove(&seat->constraint_destroy.link);
		seat->constraint = NULL;
		if (old->type == WLR_POINTER_CONSTRAINT_V1_LOCKED) {
			warp_to_hint(seat, old);
		}
		wlr_pointer_constraint_v1_send_deactivated(old); // may destroy it
	}
	if (constraint != NULL) {
		seat->constraint = constraint;
		seat->constraint_destroy.notify = handle_destroy;
		wl_signal_add(&constraint->events.destroy, &seat->constraint_destroy);
		wlr_pointer_constraint_v1_send_activated(constraint);
	}
}

bool constraint_apply(struct seat *seat, double *dx, double *dy) {
	if (seat->constraint == NULL) {
		return true;
	}
	if (seat->constraint->type == WLR_POINTER_CONSTRAINT_V1_LOCKED) {
		return false;
	}
	double sx = seat->wlr_seat->pointer_state.sx, sy = seat->wlr_seat->pointer_state.sy;
	double x, y;
	if (wlr_region_confine(&seat->constraint->region, sx, sy, sx + *dx, sy + *dy, &x, &y)) {
		*dx = x - sx;
		*dy = y - sy;
	}
	return true;
}

static void handle_new_constraint(struct wl_listener *listener, void *data) {
	const struct wlr_pointer_constraint_v1 *constraint = data;
	constraint_update(constraint->seat->data);
}

void constraint_init(struct server *server) {
	server->new_constraint.notify = handle_new_constraint;
	wl_signal_add(&server->globals.pointer_constraints->events.new_constraint,
		&server->new_constraint);
}

void constraint_finish(struct server *server) {
	wl_list_remove(&server->new_constraint.link);
}
