#include "toplevel.h"

#include <inttypes.h>
#include <stdlib.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_xdg_shell.h>
#include <wlr/util/edges.h>
#include <wlr/util/log.h>

#include "compositor_config.h"
#include "control.h"
#include "decoration.h"
#include "interactive.h"
#include "output.h"
#include "placement.h"
#include "popup.h"
#include "seat.h"
#include "server.h"
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
	wl_list_for_each(toplevel, &server->toplevels, link) {
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
		toplevel->changed = wl_event_loop_add_idle(toplevel->server->loop, handle_changed,
			toplevel);
	}
}

void toplevel_move(struct toplevel *toplevel, int x, int y) {
	toplevel->box.x = x;
	toplevel->box.y = y;
	wlr_scene_node_set_position(&toplevel->tree->node, x, y);
	popup_refresh(toplevel);
	toplevel_changed(toplevel);
}

uint32_t toplevel_resize(struct toplevel *toplevel, int width, int height) {
	if (!toplevel->xdg->base->initialized) {
		return 0;
	}
	return wlr_xdg_toplevel_set_size(toplevel->xdg, width > 0 ? width : 1,
		height > 0 ? height : 1);
}

static void move_to_stack(struct toplevel *toplevel, enum stack stack) {
	struct wlr_scene_tree *tree = toplevel->server->stack[stack];
	if (toplevel->tree->node.parent != tree) {
		wlr_scene_node_reparent(&toplevel->tree->node, tree);
	}
}

static bool is_ancestor(const struct toplevel *toplevel, const struct toplevel *of) {
	const struct wlr_xdg_toplevel *xdg = of->xdg->parent;
	while (xdg != NULL && xdg != toplevel->xdg) {
		xdg = xdg->parent;
	}
	return xdg != NULL;
}

/* A fullscreen window lies over bars while it is in front, and under every window that is raised. */
static void restack_fullscreen(struct toplevel *raised) {
	struct server *server = raised->server;
	struct output *output = raised->fullscreen ? raised->output : toplevel_find_output(raised);
	struct toplevel *other;
	wl_list_for_each(other, &server->toplevels, link) {
		if (other != raised && other->fullscreen && other->output == output &&
			!is_ancestor(other, raised)) {
			move_to_stack(other, STACK_WINDOWS);
			wlr_scene_node_lower_to_bottom(&other->tree->node);
		}
	}
	bool over_bars = raised->fullscreen;
	for (struct wlr_xdg_toplevel *xdg = raised->xdg; xdg != NULL; xdg = xdg->parent) {
		struct toplevel *toplevel = xdg->base->data;
		over_bars = over_bars || (toplevel != NULL && toplevel->fullscreen);
	}
	move_to_stack(raised, over_bars ? STACK_FULLSCREEN : STACK_WINDOWS);
}

void toplevel_raise(struct toplevel *toplevel) {
	restack_fullscreen(toplevel);
	wlr_scene_node_raise_to_top(&toplevel->tree->node);
	// A dialog stays over the window it belongs to.
	struct toplevel *child;
	wl_list_for_each_reverse(child, &toplevel->server->toplevels, link) {
		if (child->xdg->parent == toplevel->xdg && child->mapped) {
			toplevel_raise(child);
		}
	}
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
		frame_set_position(toplevel->frame, output->x - toplevel->box.x,
			output->y - toplevel->box.y);
	} else {
		frame_set_size(toplevel->frame, width, height);
		frame_set_position(toplevel->frame, 0, 0);
	}
}

/* The client has taken on a new size: during a resize from the left or the top, the other edges
 * stay where they are. */
static void follow_resize(struct toplevel *toplevel) {
	if (toplevel->resize.edges == 0) {
		return;
	}
	int x = toplevel->box.x, y = toplevel->box.y;
	if (toplevel->resize.edges & WLR_EDGE_LEFT) {
		x = toplevel->resize.right - toplevel->box.width;
	}
	if (toplevel->resize.edges & WLR_EDGE_TOP) {
		y = toplevel->resize.bottom - toplevel->box.height;
	}
	toplevel_move(toplevel, x, y);
	uint32_t committed = toplevel->xdg->base->current.configure_serial;
	if (toplevel->resize.finished && (int32_t)(committed - toplevel->resize.serial) >= 0) {
		toplevel->resize.edges = 0;
	}
}

void toplevel_arrange(struct toplevel *toplevel) {
	if (!toplevel->xdg->base->initialized) {
		return;
	}
	struct wlr_box box = placement_box(toplevel);
	wlr_xdg_toplevel_set_fullscreen(toplevel->xdg, toplevel->fullscreen);
	wlr_xdg_toplevel_set_maximized(toplevel->xdg, toplevel->layout == TOPLEVEL_MAXIMIZED);
	wlr_xdg_toplevel_set_tiled(toplevel->xdg, placement_tiled_edges(toplevel));
	if (box.width > 0 && box.height > 0) {
		toplevel_resize(toplevel, box.width, box.height);
	} else {
		wlr_xdg_toplevel_set_size(toplevel->xdg, 0, 0);
	}
	if (toplevel->mapped) {
		toplevel_move(toplevel, box.x, box.y);
		update_clip(toplevel);
	}
	update_frame(toplevel);
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

void toplevel_set_layout(struct toplevel *toplevel, enum toplevel_layout layout) {
	save_box(toplevel);
	toplevel->output = toplevel_find_output(toplevel);
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
	toplevel_move(toplevel, x, y);
	if (width > 0 && height > 0) {
		toplevel_clamp_size(toplevel, &width, &height);
		toplevel_resize(toplevel, width, height);
	}
	seat_update_pointers(toplevel->server);
}

void toplevel_set_fullscreen(struct toplevel *toplevel, bool fullscreen, struct output *output) {
	save_box(toplevel);
	toplevel->output = output != NULL ? output : toplevel_find_output(toplevel);
	toplevel->fullscreen = fullscreen;
	toplevel_arrange(toplevel);
	if (!fullscreen) {
		move_to_stack(toplevel, STACK_WINDOWS);
	} else if (toplevel->mapped && toplevel_is_focused(toplevel)) {
		// One in the background stays there: it must not cover the one that is used.
		toplevel_raise(toplevel);
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

static void handle_initial_commit(struct toplevel *toplevel) {
	struct wlr_xdg_toplevel *xdg = toplevel->xdg;
	wlr_xdg_toplevel_set_wm_capabilities(xdg,
		WLR_XDG_TOPLEVEL_WM_CAPABILITIES_MAXIMIZE |
			WLR_XDG_TOPLEVEL_WM_CAPABILITIES_FULLSCREEN |
			WLR_XDG_TOPLEVEL_WM_CAPABILITIES_MINIMIZE);
	decoration_configure(toplevel);
	toplevel->output = output_active(toplevel->server);
	toplevel->fullscreen = xdg->requested.fullscreen;
	if (xdg->requested.fullscreen_output != NULL) {
		toplevel->output = output_from_wlr_output(toplevel->server,
			xdg->requested.fullscreen_output);
	}
	toplevel->layout = xdg->requested.maximized ? TOPLEVEL_MAXIMIZED : TOPLEVEL_FLOATING;
	struct wlr_box bounds = placement_bounds(toplevel);
	if (bounds.width > 0 && bounds.height > 0) {
		wlr_xdg_toplevel_set_bounds(xdg, bounds.width, bounds.height);
	}
	toplevel_arrange(toplevel);
}

static void handle_commit(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, commit);
	struct wlr_xdg_surface *base = toplevel->xdg->base;
	if (base->initial_commit) {
		handle_initial_commit(toplevel);
		return;
	}
	if (!toplevel->mapped) {
		return;
	}
	bool resized = base->geometry.width != toplevel->box.width ||
		base->geometry.height != toplevel->box.height;
	toplevel->box.width = base->geometry.width;
	toplevel->box.height = base->geometry.height;
	follow_resize(toplevel);
	if (toplevel->fullscreen) {
		placement_center_fullscreen(toplevel);
	}
	update_clip(toplevel);
	update_frame(toplevel);
	if (resized) {
		seat_update_pointers(toplevel->server);
		toplevel_changed(toplevel);
	}
}

static void handle_map(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, map);
	toplevel->mapped = true;
	toplevel->box.width = toplevel->xdg->base->geometry.width;
	toplevel->box.height = toplevel->xdg->base->geometry.height;
	placement_place(toplevel);
	toplevel_move(toplevel, toplevel->box.x, toplevel->box.y);
	update_clip(toplevel);
	update_frame(toplevel);
	frame_set_title(toplevel->frame, toplevel->xdg->title);
	wlr_scene_node_set_enabled(&toplevel->tree->node, !toplevel->minimized);
	toplevel->taskbar = taskbar_entry_create(toplevel);
	wlr_log(WLR_INFO, "window %" PRIu64 " opened: \"%s\" (%s)", toplevel->id,
		toplevel->xdg->app_id != NULL ? toplevel->xdg->app_id : "",
		toplevel->label.text != NULL ? toplevel->label.text : "local");
	seat_toplevel_mapped(toplevel);
	toplevel_changed(toplevel);
}

static void handle_unmap(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, unmap);
	toplevel->mapped = false;
	toplevel->activate_on_map = false;
	toplevel->resize.edges = 0;
	taskbar_entry_destroy(toplevel->taskbar);
	toplevel->taskbar = NULL;
	wlr_scene_node_set_enabled(&toplevel->tree->node, false);
	seat_forget_toplevel(toplevel);
	toplevel->minimized = false;
	toplevel->layout = TOPLEVEL_FLOATING;
	toplevel->fullscreen = false;
	move_to_stack(toplevel, STACK_WINDOWS);
	toplevel->restore = (struct wlr_box){0};
	toplevel_changed(toplevel);
	wlr_log(WLR_INFO, "window %" PRIu64 " closed", toplevel->id);
}

static void handle_request_move(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, request_move);
	const struct wlr_xdg_toplevel_move_event *event = data;
	interactive_request(toplevel, event->seat, event->serial, WLR_EDGE_NONE);
}

static void handle_request_resize(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, request_resize);
	const struct wlr_xdg_toplevel_resize_event *event = data;
	if (event->edges != WLR_EDGE_NONE) {
		interactive_request(toplevel, event->seat, event->serial, event->edges);
	}
}

static void handle_request_maximize(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, request_maximize);
	if (toplevel->xdg->base->initialized) {
		toplevel_set_layout(toplevel, toplevel->xdg->requested.maximized
				? TOPLEVEL_MAXIMIZED
				: TOPLEVEL_FLOATING);
		wlr_xdg_surface_schedule_configure(toplevel->xdg->base);
	}
}

static void handle_request_fullscreen(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, request_fullscreen);
	if (toplevel->xdg->base->initialized) {
		struct wlr_output *wanted = toplevel->xdg->requested.fullscreen_output;
		toplevel_set_fullscreen(toplevel, toplevel->xdg->requested.fullscreen,
			wanted != NULL ? output_from_wlr_output(toplevel->server, wanted) : NULL);
		wlr_xdg_surface_schedule_configure(toplevel->xdg->base);
	}
}

static void handle_request_minimize(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, request_minimize);
	if (toplevel->mapped) {
		toplevel_set_minimized(toplevel, toplevel->xdg->requested.minimized);
	}
}

static void handle_set_title(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, set_title);
	if (toplevel->mapped) {
		frame_set_title(toplevel->frame, toplevel->xdg->title);
		toplevel_changed(toplevel);
	}
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, destroy);
	seat_forget_toplevel(toplevel);
	taskbar_entry_destroy(toplevel->taskbar);
	if (toplevel->changed != NULL) {
		wl_event_source_remove(toplevel->changed);
	}
	toplevel->xdg->base->data = NULL;
	wl_list_remove(&toplevel->link);
	wl_list_remove(&toplevel->commit.link);
	wl_list_remove(&toplevel->map.link);
	wl_list_remove(&toplevel->unmap.link);
	wl_list_remove(&toplevel->destroy.link);
	wl_list_remove(&toplevel->request_move.link);
	wl_list_remove(&toplevel->request_resize.link);
	wl_list_remove(&toplevel->request_maximize.link);
	wl_list_remove(&toplevel->request_fullscreen.link);
	wl_list_remove(&toplevel->request_minimize.link);
	wl_list_remove(&toplevel->set_title.link);
	frame_destroy(toplevel->frame);
	wlr_scene_node_destroy(&toplevel->tree->node);
	label_finish(&toplevel->label);
	free(toplevel);
}

static bool create_nodes(struct toplevel *toplevel) {
	toplevel->tree = wlr_scene_tree_create(toplevel->server->stack[STACK_WINDOWS]);
	if (toplevel->tree == NULL) {
		return false;
	}
	wlr_scene_node_set_enabled(&toplevel->tree->node, false);
	toplevel->node = (struct node){.kind = NODE_TOPLEVEL, .owner = toplevel};
	node_attach(&toplevel->node, &toplevel->tree->node);
	const float black[4] = {0, 0, 0, 1};
	toplevel->frame = frame_create(toplevel->server, toplevel->tree, &toplevel->label);
	toplevel->backing = wlr_scene_rect_create(toplevel->tree, 0, 0, black);
	toplevel->clip = wlr_scene_tree_create(toplevel->tree);
	if (toplevel->clip != NULL) {
		toplevel->content =
			wlr_scene_xdg_surface_create(toplevel->clip, toplevel->xdg->base);
	}
	toplevel->popups = wlr_scene_tree_create(toplevel->tree);
	if (toplevel->frame == NULL || toplevel->backing == NULL || toplevel->content == NULL ||
		toplevel->popups == NULL) {
		frame_destroy(toplevel->frame);
		wlr_scene_node_destroy(&toplevel->tree->node);
		return false;
	}
	return true;
}

static void listen(struct wl_listener *listener, struct wl_signal *signal, wl_notify_func_t notify) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

static void handle_new_toplevel(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, new_toplevel);
	struct wlr_xdg_toplevel *xdg = data;
	struct toplevel *toplevel = calloc(1, sizeof(*toplevel));
	if (toplevel == NULL) {
		wl_resource_post_no_memory(xdg->resource);
		return;
	}
	toplevel->server = server;
	toplevel->xdg = xdg;
	label_init(&toplevel->label, server, wl_resource_get_client(xdg->resource));
	if (!create_nodes(toplevel)) {
		label_finish(&toplevel->label);
		free(toplevel);
		wl_resource_post_no_memory(xdg->resource);
		return;
	}
	toplevel->id = ++server->last_toplevel_id;
	xdg->base->data = toplevel;
	wl_list_insert(server->toplevels.prev, &toplevel->link);
	listen(&toplevel->commit, &xdg->base->surface->events.commit, handle_commit);
	listen(&toplevel->map, &xdg->base->surface->events.map, handle_map);
	listen(&toplevel->unmap, &xdg->base->surface->events.unmap, handle_unmap);
	listen(&toplevel->destroy, &xdg->events.destroy, handle_destroy);
	listen(&toplevel->request_move, &xdg->events.request_move, handle_request_move);
	listen(&toplevel->request_resize, &xdg->events.request_resize, handle_request_resize);
	listen(&toplevel->request_maximize, &xdg->events.request_maximize, handle_request_maximize);
	listen(&toplevel->request_fullscreen, &xdg->events.request_fullscreen,
		handle_request_fullscreen);
	listen(&toplevel->request_minimize, &xdg->events.request_minimize, handle_request_minimize);
	listen(&toplevel->set_title, &xdg->events.set_title, handle_set_title);
}

void toplevel_init(struct server *server) {
	server->new_toplevel.notify = handle_new_toplevel;
	wl_signal_add(&server->globals.xdg_shell->events.new_toplevel, &server->new_toplevel);
}

void toplevel_finish(struct server *server) {
	wl_list_remove(&server->new_toplevel.link);
}
