#include "interactive.h"

#include <math.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_xdg_shell.h>
#include <wlr/util/edges.h>

#include "cursor.h"
#include "output.h"
#include "seat.h"
#include "server.h"
#include "toplevel.h"

void interactive_request(struct toplevel *toplevel, struct wlr_seat_client *client, uint32_t serial,
	uint32_t edges) {
	struct seat *seat = client->seat->data;
	if (toplevel->mapped &&
		wlr_seat_validate_pointer_grab_serial(
			client->seat, toplevel->xdg->base->surface, serial) &&
		toplevel_from_surface(client->seat->pointer_state.focused_surface) == toplevel) {
		interactive_begin(seat, toplevel, edges);
	}
}

/* A window that is dragged away from its maximised or snapped place becomes floating, and stays
 * under the pointer at the same fraction of its width. */
static void float_under_pointer(struct seat *seat, struct toplevel *toplevel) {
	double fraction = toplevel->box.width > 0
				  ? (seat->cursor->x - toplevel->box.x) / toplevel->box.width
				  : 0.5;
	int y = toplevel->box.y;
	struct wlr_box restore = toplevel->restore;
	if (restore.width <= 0 || restore.height <= 0) {
		restore.width = toplevel->box.width;
		restore.height = toplevel->box.height;
	}
	restore.x = (int)(seat->cursor->x - fraction * restore.width);
	restore.y = y;
	toplevel->restore = restore;
	toplevel->layout = TOPLEVEL_FLOATING;
	toplevel_arrange(toplevel);
	seat->interactive.box.x = restore.x;
	seat->interactive.box.y = restore.y;
}

void interactive_begin(struct seat *seat, struct toplevel *toplevel, uint32_t edges) {
	if (seat->interactive.toplevel != NULL || toplevel->fullscreen ||
		(edges != 0 && toplevel->layout != TOPLEVEL_FLOATING)) {
		return;
	}
	seat->interactive.toplevel = toplevel;
	seat->interactive.edges = edges;
	seat->interactive.x = seat->cursor->x;
	seat->interactive.y = seat->cursor->y;
	seat->interactive.box = toplevel->box;
	wlr_seat_pointer_notify_clear_focus(seat->wlr_seat);
	if (edges == 0) {
		cursor_set_shape(seat, "grabbing");
		return;
	}
	toplevel->resize.edges = edges;
	toplevel->resize.finished = false;
	toplevel->resize.right = toplevel->box.x + toplevel->box.width;
	toplevel->resize.bottom = toplevel->box.y + toplevel->box.height;
	wlr_xdg_toplevel_set_resizing(toplevel->xdg, true);
	cursor_set_shape(seat, cursor_edge_shape(edges));
}

static void update_move(struct seat *seat, struct toplevel *toplevel) {
	double dx = seat->cursor->x - seat->interactive.x,
	       dy = seat->cursor->y - seat->interactive.y;
	if (toplevel->layout != TOPLEVEL_FLOATING) {
		// A click with a shaking hand is not yet a move.
		if (dx * dx + dy * dy < 8 * 8) {
			return;
		}
		float_under_pointer(seat, toplevel);
		seat->interactive.x = seat->cursor->x;
		seat->interactive.y = seat->cursor->y;
		return;
	}
	int x = seat->interactive.box.x + (int)lround(dx);
	int y = seat->interactive.box.y + (int)lround(dy);
	// The title bar stays below a bar at the top: else nothing could bring the window back.
	struct output *output = output_at(toplevel->server, seat->cursor->x, seat->cursor->y);
	int top = toplevel_extents(toplevel).top;
	if (output != NULL && y - top < output->usable.y && seat->cursor->y >= output->usable.y) {
		y = output->usable.y + top;
	}
	toplevel_carry(toplevel, x, y);
}

static void update_resize(struct seat *seat, struct toplevel *toplevel) {
	uint32_t edges = seat->interactive.edges;
	int dx = (int)lround(seat->cursor->x - seat->interactive.x);
	int dy = (int)lround(seat->cursor->y - seat->interactive.y);
	int width = seat->interactive.box.width, height = seat->interactive.box.height;
	if (edges & WLR_EDGE_LEFT) {
		width -= dx;
	} else if (edges & WLR_EDGE_RIGHT) {
		width += dx;
	}
	if (edges & WLR_EDGE_TOP) {
		height -= dy;
	} else if (edges & WLR_EDGE_BOTTOM) {
		height += dy;
	}
	toplevel_clamp_size(toplevel, &width, &height);
	toplevel->resize.serial = toplevel_resize(toplevel, width, height);
}

void interactive_update(struct seat *seat) {
	struct toplevel *toplevel = seat->interactive.toplevel;
	if (seat->interactive.edges == 0) {
		update_move(seat, toplevel);
	} else {
		update_resize(seat, toplevel);
	}
}

void interactive_end(struct seat *seat) {
	struct toplevel *toplevel = seat->interactive.toplevel;
	if (toplevel == NULL) {
		return;
	}
	seat->interactive.toplevel = NULL;
	if (seat->interactive.edges != 0) {
		toplevel->resize.finished = true;
		if (toplevel->xdg->base->initialized) {
			toplevel->resize.serial =
				wlr_xdg_toplevel_set_resizing(toplevel->xdg, false);
		}
	}
	cursor_update(seat, 0);
}
