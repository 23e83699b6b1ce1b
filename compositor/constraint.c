#include "constraint.h"

#include <math.h>
#include <pixman.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_pointer_constraints_v1.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/util/region.h>

#include "node.h"
#include "seat.h"
#include "server.h"
#include "toplevel.h"

/* Where the pointer may be, in surface coordinates. wlroots 0.20 works a region out with the next
 * commit of the surface alone; until then it is the one the client has asked for, all of it. */
static const pixman_region32_t *region_of(const struct wlr_pointer_constraint_v1 *constraint) {
	if (!pixman_region32_empty(&constraint->region)) {
		return &constraint->region;
	}
	return !pixman_region32_empty(&constraint->current.region)
		       ? &constraint->current.region
		       : &constraint->surface->input_region;
}

/* The constraint that should hold now, or NULL: one begins with the pointer in its region. */
static struct wlr_pointer_constraint_v1 *find(struct seat *seat) {
	struct wlr_surface *surface = seat->wlr_seat->pointer_state.focused_surface;
	if (surface == NULL || seat->focused == NULL || seat->focused_layer != NULL ||
		toplevel_from_surface(surface) != seat->focused) {
		return NULL;
	}
	struct wlr_pointer_constraint_v1 *found = wlr_pointer_constraints_v1_constraint_for_surface(
		seat->server->globals.pointer_constraints, surface, seat->wlr_seat);
	if (found == NULL || found == seat->constraint) {
		return found;
	}
	int x = (int)floor(seat->wlr_seat->pointer_state.sx);
	int y = (int)floor(seat->wlr_seat->pointer_state.sy);
	return pixman_region32_contains_point(region_of(found), x, y, NULL) ? found : NULL;
}

/* A client that locked the pointer says where in its surface it would like to find it again. */
static void warp_to_hint(struct seat *seat, struct wlr_pointer_constraint_v1 *constraint) {
	struct wlr_surface *surface = constraint->surface;
	double x = constraint->current.cursor_hint.x, y = constraint->current.cursor_hint.y;
	double sx, sy;
	if (!constraint->current.cursor_hint.enabled ||
		!node_surface_coords(
			seat->server, surface, seat->cursor->x, seat->cursor->y, &sx, &sy)) {
		return;
	}
	// Only to where it can be seen: else it could put the pointer onto another window.
	double lx = seat->cursor->x + x - sx, ly = seat->cursor->y + y - sy;
	if (node_at(seat->server, lx, ly).surface != surface) {
		return;
	}
	wlr_cursor_warp(seat->cursor, NULL, lx, ly);
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
	if (wlr_region_confine(region_of(seat->constraint), sx, sy, sx + *dx, sy + *dy, &x, &y)) {
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
