#include "placement.h"

#include <stdlib.h>
#include <wlr/types/wlr_xdg_shell.h>
#include <wlr/util/edges.h>

#include "output.h"
#include "seat.h"
#include "server.h"
#include "toplevel.h"

/* How far each new window is shifted against the one it would cover exactly. */
#define CASCADE 32
/* Between windows that are placed beside each other. */
#define GAP 8
/* How much of a title bar has to be seen for it to be taken by. */
#define HANDLE 32
/* How many windows are looked at for a place beside one of them. */
#define PLACES_MAX 16
/* How many are looked at for what a place would cover, those that had the keyboard last: it is done
 * for each place, and a client opens as many windows as it likes. */
#define COVERED_MAX 64

static struct output *placement_output(struct toplevel *toplevel) {
	return toplevel->output != NULL ? toplevel->output : toplevel_find_output(toplevel);
}

/* The part of the output that is left for the window itself once its frame is drawn. */
static struct wlr_box inner_box(struct toplevel *toplevel, struct wlr_box box) {
	struct frame_extents extents = toplevel_extents(toplevel);
	return (struct wlr_box){
		.x = box.x + extents.left,
		.y = box.y + extents.top,
		.width = box.width - extents.left - extents.right,
		.height = box.height - extents.top - extents.bottom,
	};
}

static struct wlr_box outer_box(struct toplevel *toplevel, struct wlr_box box) {
	struct frame_extents extents = toplevel_extents(toplevel);
	return (struct wlr_box){
		.x = box.x - extents.left - GAP,
		.y = box.y - extents.top - GAP,
		.width = box.width + extents.left + extents.right + 2 * GAP,
		.height = box.height + extents.top + extents.bottom + 2 * GAP,
	};
}

/* Moves BOX so that its top left corner, where the title bar begins, lies inside of IN. */
static void keep_inside(struct wlr_box *box, const struct wlr_box *in) {
	int right = in->x + in->width - box->width, bottom = in->y + in->height - box->height;
	box->x = box->x > right ? right : box->x;
	box->y = box->y > bottom ? bottom : box->y;
	box->x = box->x < in->x ? in->x : box->x;
	box->y = box->y < in->y ? in->y : box->y;
}

/* Whether the title bar of a window in BOX can be taken. */
static bool is_reachable(struct toplevel *toplevel, struct wlr_box box) {
	struct wlr_box bar = outer_box(toplevel, box);
	bar.height = toplevel_extents(toplevel).top;
	int wanted = bar.width < HANDLE ? bar.width : HANDLE;
	struct output *output;
	wl_list_for_each (output, &toplevel->server->outputs, link) {
		struct wlr_box seen;
		if (output->scene_output != NULL &&
			wlr_box_intersection(&seen, &bar, &output->usable) &&
			seen.width >= wanted && seen.height == bar.height) {
			return true;
		}
	}
	return false;
}

/* The box to return to. The output that it was on may be gone. */
static struct wlr_box restored_box(struct toplevel *toplevel) {
	struct wlr_box box = toplevel->restore;
	struct output *output =
		output_at(toplevel->server, box.x + box.width / 2.0, box.y + box.height / 2.0);
	if (output != NULL && !wlr_box_empty(&box) && !is_reachable(toplevel, box)) {
		struct wlr_box room = inner_box(toplevel, output->usable);
		keep_inside(&box, &room);
	}
	return box;
}

struct wlr_box placement_box(struct toplevel *toplevel) {
	struct output *output = placement_output(toplevel);
	if (output == NULL) {
		return toplevel->restore;
	}
	if (toplevel->fullscreen) {
		return output->box;
	}
	struct wlr_box box = output->usable;
	switch (toplevel->layout) {
	case TOPLEVEL_FLOATING:
		return restored_box(toplevel);
	case TOPLEVEL_MAXIMIZED:
		break;
	case TOPLEVEL_SNAPPED_LEFT:
		box.width /= 2;
		break;
	case TOPLEVEL_SNAPPED_RIGHT:
		box.x += box.width / 2;
		box.width -= box.width / 2;
		break;
	}
	return inner_box(toplevel, box);
}

uint32_t placement_tiled_edges(const struct toplevel *toplevel) {
	uint32_t vertical = WLR_EDGE_TOP | WLR_EDGE_BOTTOM;
	switch (toplevel->layout) {
	case TOPLEVEL_MAXIMIZED:
		return vertical | WLR_EDGE_LEFT | WLR_EDGE_RIGHT;
	case TOPLEVEL_SNAPPED_LEFT:
		return vertical | WLR_EDGE_LEFT;
	case TOPLEVEL_SNAPPED_RIGHT:
		return vertical | WLR_EDGE_RIGHT;
	case TOPLEVEL_FLOATING:
		break;
	}
	return 0;
}

struct wlr_box placement_bounds(struct toplevel *toplevel) {
	struct output *output = placement_output(toplevel);
	return output != NULL ? inner_box(toplevel, output->usable) : (struct wlr_box){0};
}

static struct wlr_box centered(struct wlr_box in, int width, int height) {
	return (struct wlr_box){
		.x = in.x + (in.width - width) / 2,
		.y = in.y + (in.height - height) / 2,
		.width = width,
		.height = height,
	};
}

/* Another window stands exactly there. */
static bool is_taken(struct toplevel *toplevel, const struct wlr_box *box) {
	struct toplevel *other;
	wl_list_for_each (other, &toplevel->server->toplevels, link) {
		if (other != toplevel && other->mapped &&
			abs(other->box.x - box->x) < CASCADE / 2 &&
			abs(other->box.y - box->y) < CASCADE / 2) {
			return true;
		}
	}
	return false;
}

/* What other windows take, frames included. */
struct taken {
	struct wlr_box boxes[COVERED_MAX];
	size_t count;
};

static void look_around(struct toplevel *toplevel, struct taken *taken) {
	struct toplevel *other;
	taken->count = 0;
	wl_list_for_each (other, &toplevel->server->toplevels, link) {
		if (other != toplevel && other->mapped && !other->minimized) {
			taken->boxes[taken->count++] = toplevel_outer_box(other);
		}
		if (taken->count == COVERED_MAX) {
			return;
		}
	}
}

/* How many pixels of other windows BOX would cover, frame and gap included. */
static int64_t overlap(
	struct toplevel *toplevel, const struct taken *taken, const struct wlr_box *box) {
	int64_t area = 0;
	struct wlr_box outer = outer_box(toplevel, *box), common;
	for (size_t i = 0; i < taken->count; i++) {
		if (wlr_box_intersection(&common, &outer, &taken->boxes[i])) {
			area += (int64_t)common.width * common.height;
		}
	}
	return area;
}

/* The places worth a look along one axis: in the middle, at the ends, and beside every window. */
static size_t candidates(
	struct toplevel *toplevel, bool horizontal, int low, int high, int places[], size_t max) {
	size_t count = 0;
	struct frame_extents own = toplevel_extents(toplevel);
	struct toplevel *other;
	places[count++] = low + (high - low) / 2;
	places[count++] = low + GAP;
	places[count++] = high - GAP;
	wl_list_for_each (other, &toplevel->server->toplevels, link) {
		if (other == toplevel || !other->mapped || count + 3 > max) {
			continue;
		}
		struct wlr_box box = outer_box(other, other->box);
		if (horizontal) {
			places[count++] = box.x + box.width + own.left;
			places[count++] = box.x - own.right - toplevel->box.width;
			places[count++] = other->box.x;
		} else {
			places[count++] = box.y + box.height + own.top;
			places[count++] = box.y - own.bottom - toplevel->box.height;
			places[count++] = other->box.y;
		}
	}
	return count;
}

/* The place that covers least, and of those the one nearest to where BOX is. False: all places
 * cover much. */
static bool find_place(struct toplevel *toplevel, const struct wlr_box *room, struct wlr_box *box) {
	int xs[3 * PLACES_MAX], ys[3 * PLACES_MAX];
	size_t xs_len = candidates(
		toplevel, true, room->x, room->x + room->width - box->width, xs, 3 * PLACES_MAX);
	size_t ys_len = candidates(
		toplevel, false, room->y, room->y + room->height - box->height, ys, 3 * PLACES_MAX);
	struct wlr_box middle = *box;
	struct taken taken;
	look_around(toplevel, &taken);
	int64_t least = INT64_MAX, nearest = INT64_MAX;
	for (size_t i = 0; i < xs_len; i++) {
		for (size_t j = 0; j < ys_len; j++) {
			struct wlr_box at = {xs[i], ys[j], box->width, box->height};
			if (!wlr_box_contains_box(room, &at)) {
				continue;
			}
			int64_t dx = at.x - middle.x, dy = at.y - middle.y;
			int64_t distance = dx * dx + dy * dy,
				covered = overlap(toplevel, &taken, &at);
			if (covered < least || (covered == least && distance < nearest)) {
				least = covered;
				nearest = distance;
				*box = at;
			}
		}
	}
	// One that goes below the focused window is better off anywhere else than in the middle.
	bool found = least <= (int64_t)box->width * box->height / 4 ||
		     (least != INT64_MAX && !seat_would_focus(toplevel));
	if (!found) {
		*box = middle;
	}
	return found;
}

static void place_floating(struct toplevel *toplevel, const struct wlr_box *room) {
	int width = toplevel->box.width, height = toplevel->box.height;
	struct toplevel *parent =
		toplevel->xdg->parent != NULL ? toplevel->xdg->parent->base->data : NULL;
	if (parent != NULL && parent->mapped) {
		// Where its window is, wherever the pointer may be.
		struct output *output = toplevel_find_output(parent);
		struct wlr_box beside =
			output != NULL ? inner_box(toplevel, output->usable) : *room;
		toplevel->box = centered(parent->box, width, height);
		keep_inside(&toplevel->box, &beside);
		return;
	}
	struct wlr_box box = centered(*room, width, height);
	if (find_place(toplevel, room, &box)) {
		toplevel->box = box;
		return;
	}
	for (int tries = 0; tries < 64 && is_taken(toplevel, &box); tries++) {
		box.x += CASCADE;
		box.y += CASCADE;
		if (box.x + width > room->x + room->width) {
			box.x = room->x;
		}
		if (box.y + height > room->y + room->height) {
			box.y = room->y;
		}
	}
	keep_inside(&box, room);
	toplevel->box = box;
}

void placement_place(struct toplevel *toplevel) {
	struct output *output = placement_output(toplevel);
	if (output == NULL) {
		return;
	}
	struct wlr_box room = inner_box(toplevel, output->usable);
	if (toplevel->fullscreen) {
		placement_center_fullscreen(toplevel);
	} else if (toplevel->layout != TOPLEVEL_FLOATING) {
		struct wlr_box box = placement_box(toplevel);
		toplevel->box.x = box.x;
		toplevel->box.y = box.y;
	} else {
		place_floating(toplevel, &room);
	}
}

void placement_center_fullscreen(struct toplevel *toplevel) {
	struct output *output = placement_output(toplevel);
	if (output == NULL) {
		return;
	}
	int dx = output->box.width - toplevel->box.width;
	int dy = output->box.height - toplevel->box.height;
	toplevel_move(toplevel, output->box.x + (dx > 0 ? dx / 2 : 0),
		output->box.y + (dy > 0 ? dy / 2 : 0));
}

void placement_uncover(struct toplevel *toplevel, const struct wlr_box *before) {
	struct output *output = toplevel_find_output(toplevel);
	struct wlr_box outer = toplevel_outer_box(toplevel);
	// What the user has put beyond the edge stays there.
	if (output != NULL && outer.y >= before->y && outer.y < output->usable.y) {
		toplevel_move(
			toplevel, toplevel->box.x, output->usable.y + toplevel->box.y - outer.y);
	}
}

bool placement_is_reachable(struct toplevel *toplevel, int x, int y) {
	struct wlr_box box = toplevel->box;
	box.x = x;
	box.y = y;
	return is_reachable(toplevel, box);
}

void placement_rescue(struct toplevel *toplevel) {
	struct output *output = toplevel_find_output(toplevel);
	if (output == NULL) {
		return;
	}
	struct wlr_box room = inner_box(toplevel, output->usable);
	struct wlr_box box = toplevel->box;
	keep_inside(&box, &room);
	toplevel_move(toplevel, box.x, box.y);
	if (toplevel->restore.width > 0) {
		keep_inside(&toplevel->restore, &room);
	}
}
