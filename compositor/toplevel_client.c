#include "toplevel_client.h"

#include <inttypes.h>
#include <stdlib.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_xdg_shell.h>
#include <wlr/util/edges.h>
#include <wlr/util/log.h>

#include "decoration.h"
#include "interactive.h"
#include "label.h"
#include "output.h"
#include "placement.h"
#include "seat.h"
#include "server.h"
#include "stacking.h"
#include "taskbar.h"
#include "toplevel.h"

/* Of a window's side, in logical pixels: more than any screen has, and no sum with it overflows. */
#define SIDE_MAX (1 << 20)

/* What of the client's size is taken for the window's. Returns whether it is another one. */
static bool take_size(struct toplevel *toplevel) {
	const struct wlr_box *geometry = &toplevel->xdg->base->geometry;
	int width = geometry->width < SIDE_MAX ? geometry->width : SIDE_MAX;
	int height = geometry->height < SIDE_MAX ? geometry->height : SIDE_MAX;
	bool resized = width != toplevel->box.width || height != toplevel->box.height;
	toplevel->box.width = width;
	toplevel->box.height = height;
	return resized;
}

/* Whether the client has committed what it makes of that configure, or of a later one. */
static bool has_answered(const struct toplevel *toplevel, uint32_t serial) {
	return (int32_t)(toplevel->xdg->base->current.configure_serial - serial) >= 0;
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
	if (toplevel->resize.finished && has_answered(toplevel, toplevel->resize.serial)) {
		toplevel->resize.edges = 0;
	}
}

static void handle_initial_commit(struct toplevel *toplevel) {
	struct wlr_xdg_toplevel *xdg = toplevel->xdg;
	wlr_xdg_toplevel_set_wm_capabilities(
		xdg, WLR_XDG_TOPLEVEL_WM_CAPABILITIES_MAXIMIZE |
			     WLR_XDG_TOPLEVEL_WM_CAPABILITIES_FULLSCREEN |
			     WLR_XDG_TOPLEVEL_WM_CAPABILITIES_MINIMIZE);
	// It may have been minimised when it was shown before.
	wlr_xdg_toplevel_set_suspended(xdg, false);
	decoration_configure(toplevel);
	toplevel->output = output_active(toplevel->server);
	toplevel->fullscreen = xdg->requested.fullscreen;
	if (xdg->requested.fullscreen_output != NULL) {
		toplevel->output =
			output_from_wlr_output(toplevel->server, xdg->requested.fullscreen_output);
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
	bool resized = take_size(toplevel);
	follow_resize(toplevel);
	// Also when that is the size it has: some programs keep theirs.
	if (toplevel->unplaced && has_answered(toplevel, toplevel->unplaced_serial)) {
		toplevel->unplaced = false;
		placement_place(toplevel);
		toplevel_move(toplevel, toplevel->box.x, toplevel->box.y);
	}
	if (toplevel->fullscreen) {
		placement_center_fullscreen(toplevel);
	}
	toplevel_update(toplevel);
	if (resized) {
		seat_update_pointers(toplevel->server);
		toplevel_changed(toplevel);
	}
}

/* For debugging alone: a client opens as many windows as it likes. */
static void log_opened(const struct toplevel *toplevel) {
	char name[LABEL_NAME_SIZE];
	label_clean_name(name, toplevel->xdg->app_id != NULL ? toplevel->xdg->app_id : "");
	wlr_log(WLR_DEBUG, "window %" PRIu64 " opened: \"%s\" (%s)", toplevel->id, name,
		toplevel->label.text != NULL ? toplevel->label.text : "local");
}

static void handle_map(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, map);
	toplevel->mapped = true;
	toplevel->unplaced = false;
	take_size(toplevel);
	placement_place(toplevel);
	toplevel_move(toplevel, toplevel->box.x, toplevel->box.y);
	toplevel_update(toplevel);
	frame_set_title(toplevel->frame, toplevel->xdg->title);
	wlr_scene_node_set_enabled(&toplevel->tree->node, !toplevel->minimized);
	toplevel->taskbar = taskbar_entry_create(toplevel);
	log_opened(toplevel);
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
	stacking_move(toplevel, STACK_WINDOWS);
	toplevel->restore = (struct wlr_box){0};
	toplevel_changed(toplevel);
	wlr_log(WLR_DEBUG, "window %" PRIu64 " closed", toplevel->id);
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

static void handle_set_app_id(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, set_app_id);
	toplevel_changed(toplevel);
}

static void handle_set_parent(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, set_parent);
	toplevel_changed(toplevel);
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
	wl_list_remove(&toplevel->set_app_id.link);
	wl_list_remove(&toplevel->set_parent.link);
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

static void listen(
	struct wl_listener *listener, struct wl_signal *signal, wl_notify_func_t notify) {
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
	listen(&toplevel->set_app_id, &xdg->events.set_app_id, handle_set_app_id);
	listen(&toplevel->set_parent, &xdg->events.set_parent, handle_set_parent);
}

void toplevel_client_init(struct server *server) {
	server->new_toplevel.notify = handle_new_toplevel;
	wl_signal_add(&server->globals.xdg_shell->events.new_toplevel, &server->new_toplevel);
}

void toplevel_client_finish(struct server *server) {
	wl_list_remove(&server->new_toplevel.link);
}
