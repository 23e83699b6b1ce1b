#include "toplevel.h"

#include <stdlib.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "compositor_config.h"
#include "control.h"
#include "output.h"
#include "placement.h"
#include "popup.h"
#include "seat.h"
#include "server.h"
#include "stacking.h"
#include "taskbar.h"

struct toplevel *toplevel_from_surface(struct wlr_surface *surface) {
	struct wlr_surface *root = surface != NULL ? wlr_surface_get_root_surface(surface) : NULL;
	while (root != NULL) {
		struct wlr_xdg_surface *xdg = wlr_xdg_surface_try_from_wlr_surface(root);
		if (xdg == NULL || xdg->data == NULL) {
			return NULL;
		}
		if (xdg->role == WLR_XDG_SURFACE_ROLE_TOPLEVEL) {
			return xdg->data;
		}
		if (xdg->role != WLR_XDG_SURFACE_ROLE_POPUP || xdg->popup == NULL ||
			xdg->popup->parent == NULL) {
			return NULL;
		}
		root = wlr_surface_get_root_surface(xdg->popup->parent);
	}
	return NULL;
}

struct toplevel *toplevel_by_id(struct server *server, uint64_t id) {
	struct toplevel *toplevel;
	wl_list_for_each (toplevel, &server->toplevels, link) {
		if (toplevel->id == id) {
			return toplevel;
		}
	}
	return NULL;
}

static enum frame_style frame_style(const struct toplevel *toplevel) {
	bool local = toplevel->label.kind == LABEL_LOCAL;
	if (toplevel->fullscreen) {
		bool shown = toplevel->server->config->fullscreen_label ==
			     CONFIG_FULLSCREEN_LABEL_BORDER;
		return local || !shown ? FRAME_NONE : FRAME_FULLSCREEN;
	}
	return local && toplevel->draws_own_titlebar ? FRAME_BORDER : FRAME_FULL;
}

struct frame_extents toplevel_extents(struct toplevel *toplevel) {
	return frame_extents(toplevel->frame, frame_style(toplevel));
}

struct output *toplevel_find_output(struct toplevel *toplevel) {
	const struct wlr_box *box = &toplevel->box;
	return output_at(toplevel->server, box->x + box->width / 2.0, box->y + box->height / 2.0);
}

void toplevel_clamp_size(struct toplevel *toplevel, int *width, int *height) {
	const struct wlr_xdg_toplevel_state *state = &toplevel->xdg->current;
	int min_width = state->min_width > 1 ? state->min_width : 1;
	int min_height = state->min_height > 1 ? state->min_height : 1;
	*width = *width < min_width ? min_width : *width;
	*height = *height < min_height ? min_height : *height;
	if (state->max_width >= min_width && *width > state->max_width) {
		*width = state->max_width;
	}
	if (state->max_height >= min_height && *height > state->max_height) {
		*height = state->max_height;
	}
}

static void handle_changed(void *data) {
	struct toplevel *toplevel = data;
	toplevel->changed = NULL;
	taskbar_entry_update(toplevel->taskbar);
	control_changed(toplevel->server);
}

void toplevel_changed(struct toplevel *toplevel) {
	if (toplevel->changed == NULL) {
		toplevel->changed =
			wl_event_loop_add_idle(toplevel->server->loop, handle_changed, toplevel);
	}
}

void toplevel_move(struct toplevel *toplevel, int x, int y) {
	toplevel->box.x = x;
	toplevel->box.y = y;
	wlr_scene_node_set_position(&toplevel->tree->node, x, y);
	popup_refresh(toplevel);
	toplevel_changed(toplevel);
}

void toplevel_carry(struct toplevel *toplevel, int x, int y) {
	const struct output *before = toplevel_find_output(toplevel);
	toplevel_move(toplevel, x, y);
	if (toplevel_find_output(toplevel) != before && toplevel_is_focused(toplevel)) {
		stacking_raise(toplevel);
	}
}

uint32_t toplevel_resize(struct toplevel *toplevel, int width, int height) {
	if (!toplevel->xdg->base->initialized) {
		return 0;
	}
	return wlr_xdg_toplevel_set_size(
		toplevel->xdg, width > 0 ? width : 1, height > 0 ? height : 1);
}

void toplevel_close(struct toplevel *toplevel) {
	wlr_xdg_toplevel_send_close(toplevel->xdg);
}

void toplevel_set_activated(struct toplevel *toplevel, bool activated) {
	if (toplevel->xdg->base->initialized) {
		wlr_xdg_toplevel_set_activated(toplevel->xdg, activated);
	}
	frame_set_focused(toplevel->frame, activated);
	toplevel_changed(toplevel);
}

/* The size a window is shown with. One with a label is never larger than its output: its frame has
 * to be seen, whatever size its client takes. */
static void shown_size(struct toplevel *toplevel, int *width, int *height) {
	struct output *output = toplevel->fullscreen && toplevel->output != NULL
					? toplevel->output
					: toplevel_find_output(toplevel);
	*width = toplevel->box.width;
	*height = toplevel->box.height;
	if (output != NULL && (toplevel->fullscreen || toplevel->label.kind != LABEL_LOCAL)) {
		*width = *width < output->box.width ? *width : output->box.width;
		*height = *height < output->box.height ? *height : output->box.height;
	}
}

struct wlr_box toplevel_outer_box(struct toplevel *toplevel) {
	struct frame_extents extents = toplevel_extents(toplevel);
	int width, height;
	shown_size(toplevel, &width, &height);
	return (struct wlr_box){
		.x = toplevel->box.x - extents.left,
		.y = toplevel->box.y - extents.top,
		.width = width + extents.left + extents.right,
		.height = height + extents.top + extents.bottom,
	};
}

/* Behind a window with a label nothing of another one is to be seen through it; and a fullscreen
 * window that is smaller than its output stands on black. */
static void update_backing(struct toplevel *toplevel, int width, int height) {
	bool shown = toplevel->fullscreen || toplevel->label.kind != LABEL_LOCAL;
	int x = 0, y = 0;
	if (toplevel->fullscreen && toplevel->output != NULL) {
		x = toplevel->output->box.x - toplevel->box.x;
		y = toplevel->output->box.y - toplevel->box.y;
		width = toplevel->output->box.width;
		height = toplevel->output->box.height;
	}
	wlr_scene_node_set_enabled(&toplevel->backing->node, shown);
	wlr_scene_node_set_position(&toplevel->backing->node, x, y);
	wlr_scene_rect_set_size(toplevel->backing, width, height);
}

/* What a client draws beyond its window (shadows, or something meant to look like another window)
 * is cut off. */
static void update_clip(struct toplevel *toplevel) {
	struct wlr_box clip = toplevel->xdg->base->geometry;
	shown_size(toplevel, &clip.width, &clip.height);
	// To the scene an empty clip means none: a window without an area shows nothing at all.
	wlr_scene_node_set_enabled(&toplevel->clip->node, !wlr_box_empty(&clip));
	wlr_scene_subsurface_tree_set_clip(&toplevel->content->node, &clip);
	update_backing(toplevel, clip.width, clip.height);
}

static void update_frame(struct toplevel *toplevel) {
	int width, height;
	shown_size(toplevel, &width, &height);
	frame_set_style(toplevel->frame, frame_style(toplevel));
	frame_set_maximized(toplevel->frame, toplevel->layout == TOPLEVEL_MAXIMIZED);
	frame_set_resizable(toplevel->frame, toplevel->layout == TOPLEVEL_FLOATING);
	if (toplevel->fullscreen && toplevel->output != NULL) {
		const struct wlr_box *output = &toplevel->output->box;
		frame_set_size(toplevel->frame, output->width, output->height);
		frame_set_position(
			toplevel->frame, output->x - toplevel->box.x, output->y - toplevel->box.y);
	} else {
		frame_set_size(toplevel->frame, width, height);
		frame_set_position(toplevel->frame, 0, 0);
	}
}

void toplevel_update(struct toplevel *toplevel) {
	update_clip(toplevel);
	update_frame(toplevel);
}

void toplevel_arrange(struct toplevel *toplevel) {
	if (!toplevel->xdg->base->initialized) {
		return;
	}
	struct wlr_box box = placement_box(toplevel);
	wlr_xdg_toplevel_set_fullscreen(toplevel->xdg, toplevel->fullscreen);
	wlr_xdg_toplevel_set_maximized(toplevel->xdg, toplevel->layout == TOPLEVEL_MAXIMIZED);
	wlr_xdg_toplevel_set_tiled(toplevel->xdg, placement_tiled_edges(toplevel));
	// A window that was never floating has no place to return to: it gets one with the size it
	// answers with.
	toplevel->unplaced = wlr_box_empty(&box);
	if (toplevel->unplaced) {
		toplevel->unplaced_serial = wlr_xdg_toplevel_set_size(toplevel->xdg, 0, 0);
	} else {
		toplevel_resize(toplevel, box.width, box.height);
	}
	if (toplevel->mapped) {
		if (!toplevel->unplaced) {
			toplevel_move(toplevel, box.x, box.y);
		}
		toplevel_update(toplevel);
	}
	toplevel_changed(toplevel);
}

void toplevel_refresh(struct toplevel *toplevel) {
	if (toplevel->fullscreen || toplevel->layout != TOPLEVEL_FLOATING) {
		toplevel_arrange(toplevel);
	}
	update_frame(toplevel);
}

/* Remembers the floating box before the window leaves it. */
static void save_box(struct toplevel *toplevel) {
	if (toplevel->layout == TOPLEVEL_FLOATING && !toplevel->fullscreen && toplevel->mapped) {
		toplevel->restore = toplevel->box;
	}
	toplevel->resize.edges = 0;
	seat_cancel_interactive(toplevel);
}

/* Where it is. One that has no picture yet is nowhere, but has been given an output to open on. */
static struct output *current_output(struct toplevel *toplevel) {
	bool given = !toplevel->mapped && toplevel->output != NULL;
	return given ? toplevel->output : toplevel_find_output(toplevel);
}

void toplevel_set_layout(struct toplevel *toplevel, enum toplevel_layout layout) {
	save_box(toplevel);
	toplevel->output = current_output(toplevel);
	toplevel->layout = layout;
	toplevel_arrange(toplevel);
}

void toplevel_place(struct toplevel *toplevel, int x, int y, int width, int height) {
	if (toplevel->fullscreen) {
		toplevel_set_fullscreen(toplevel, false, NULL);
	}
	if (toplevel->layout != TOPLEVEL_FLOATING) {
		toplevel_set_layout(toplevel, TOPLEVEL_FLOATING);
	}
	toplevel_carry(toplevel, x, y);
	if (width > 0 || height > 0) {
		width = width > 0 ? width : toplevel->box.width;
		height = height > 0 ? height : toplevel->box.height;
		toplevel_clamp_size(toplevel, &width, &height);
		toplevel_resize(toplevel, width, height);
	}
	seat_update_pointers(toplevel->server);
}

void toplevel_grow(struct toplevel *toplevel, int width, int height) {
	const struct wlr_xdg_toplevel *xdg = toplevel->xdg;
	int old_width = toplevel->box.width, old_height = toplevel->box.height;
	if (xdg->base->current.configure_serial != xdg->base->scheduled_serial &&
		xdg->scheduled.width > 0 && xdg->scheduled.height > 0) {
		old_width = xdg->scheduled.width;
		old_height = xdg->scheduled.height;
	}
	width += old_width;
	height += old_height;
	toplevel_clamp_size(toplevel, &width, &height);
	toplevel_resize(toplevel, width, height);
}

void toplevel_set_fullscreen(struct toplevel *toplevel, bool fullscreen, struct output *output) {
	save_box(toplevel);
	toplevel->output = output != NULL ? output : current_output(toplevel);
	toplevel->fullscreen = fullscreen;
	toplevel_arrange(toplevel);
	if (!fullscreen) {
		stacking_move(toplevel, STACK_WINDOWS);
	} else if (toplevel->mapped && toplevel_is_focused(toplevel)) {
		// One in the background stays there: it must not cover the one that is used.
		stacking_raise(toplevel);
	}
}

void toplevel_set_minimized(struct toplevel *toplevel, bool minimized) {
	if (toplevel->minimized == minimized) {
		return;
	}
	toplevel->minimized = minimized;
	wlr_scene_node_set_enabled(&toplevel->tree->node, !minimized && toplevel->mapped);
	if (toplevel->xdg->base->initialized) {
		wlr_xdg_toplevel_set_suspended(toplevel->xdg, minimized);
	}
	if (minimized) {
		seat_forget_toplevel(toplevel);
	}
	toplevel_changed(toplevel);
}

void toplevel_update_label(struct toplevel *toplevel) {
	label_finish(&toplevel->label);
	label_init(&toplevel->label, toplevel->server,
		wl_resource_get_client(toplevel->xdg->resource));
	frame_refresh(toplevel->frame);
	popup_refresh(toplevel);
	toplevel_changed(toplevel);
}
