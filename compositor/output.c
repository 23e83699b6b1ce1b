#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wlr/backend/wayland.h>
#include <wlr/config.h>
#if WLR_HAS_X11_BACKEND
#include <wlr/backend/x11.h>
#endif
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_output_layout.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/util/log.h>

#include "compositor_config.h"
#include "control.h"
#include "idle.h"
#include "input.h"
#include "layer.h"
#include "output_state.h"
#include "placement.h"
#include "seat.h"
#include "server.h"
#include "taskbar.h"
#include "toplevel.h"

void output_describe(const struct wlr_output *wlr_output, char *text, size_t size) {
	snprintf(text, size, "%s %s %s", wlr_output->make != NULL ? wlr_output->make : "Unknown",
		wlr_output->model != NULL ? wlr_output->model : "Unknown",
		wlr_output->serial != NULL ? wlr_output->serial : "Unknown");
}

struct output *output_from_wlr_output(struct server *server, struct wlr_output *wlr_output) {
	struct output *output;
	wl_list_for_each (output, &server->outputs, link) {
		if (output->wlr_output == wlr_output) {
			return output->scene_output != NULL ? output : NULL;
		}
	}
	return NULL;
}

struct output *output_at(struct server *server, double lx, double ly) {
	double x, y;
	if (wl_list_empty(&server->layout->outputs)) {
		return NULL;
	}
	wlr_output_layout_closest_point(server->layout, NULL, lx, ly, &x, &y);
	struct wlr_output *wlr_output = wlr_output_layout_output_at(server->layout, x, y);
	return wlr_output != NULL ? output_from_wlr_output(server, wlr_output) : NULL;
}

struct output *output_active(struct server *server) {
	struct seat *seat = wl_container_of(server->seats.next, seat, link);
	return output_at(server, seat->cursor->x, seat->cursor->y);
}

static void handle_frame(struct wl_listener *listener, void *data) {
	struct output *output = wl_container_of(listener, output, frame);
	// One that is switched off but in its place (output_state.c) has nothing to draw on.
	if (output->scene_output == NULL || !output->wlr_output->enabled) {
		return;
	}
	frame_draw_pending(output->server);
	wlr_scene_output_commit(output->scene_output, NULL);
	idle_output_drawn(output->server);
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	wlr_scene_output_send_frame_done(output->scene_output, &now);
}

/* A nested output's window has been resized, or a headless one's size changed. */
static void handle_request_state(struct wl_listener *listener, void *data) {
	struct output *output = wl_container_of(listener, output, request_state);
	const struct wlr_output_event_request_state *event = data;
	wlr_output_commit_state(output->wlr_output, event->state);
}

void output_arrange(struct output *output) {
	struct server *server = output->server;
	if (output->scene_output == NULL) {
		return;
	}
	struct wlr_box before = output->usable;
	layer_arrange(output);
	struct toplevel *toplevel;
	wl_list_for_each (toplevel, &server->toplevels, link) {
		bool floating = !toplevel->fullscreen && toplevel->layout == TOPLEVEL_FLOATING;
		if (!floating && toplevel->output == output) {
			toplevel_arrange(toplevel);
		} else if (floating && toplevel->mapped &&
			   toplevel_find_output(toplevel) == output) {
			placement_uncover(toplevel, &before);
		}
	}
	seat_update_pointers(server);
	control_changed(server);
}

/* Sizes or positions have changed, of any output. */
static void handle_layout_change(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, layout_change);
	if (server->stopping) {
		return;
	}
	struct output *output;
	wl_list_for_each (output, &server->outputs, link) {
		if (output->scene_output == NULL) {
			continue;
		}
		wlr_output_layout_get_box(server->layout, output->wlr_output, &output->box);
		wlr_scene_node_set_position(
			&output->background->node, output->box.x, output->box.y);
		// A screen whose size is no multiple of its scale ends with a part of a logical
		// pixel.
		wlr_scene_rect_set_size(
			output->background, output->box.width + 1, output->box.height + 1);
		output_arrange(output);
	}
	struct toplevel *toplevel;
	wl_list_for_each (toplevel, &server->toplevels, link) {
		if (!toplevel->fullscreen && toplevel->layout == TOPLEVEL_FLOATING) {
			if (toplevel->mapped) {
				placement_rescue(toplevel);
			}
		} else if (toplevel->output == NULL) {
			// There was no output at all for a while.
			toplevel->output = toplevel_find_output(toplevel);
			toplevel_arrange(toplevel);
		}
	}
	input_map_all(server);
	seat_reload_cursors(server);
	output_state_publish(server);
	control_changed(server);
}

/* Windows that were laid out on an output that is gone go to another one. */
static void evacuate(struct output *output) {
	struct server *server = output->server;
	struct toplevel *toplevel;
	wl_list_for_each (toplevel, &server->toplevels, link) {
		taskbar_entry_leave(toplevel->taskbar, output);
		if (toplevel->output == output) {
			toplevel->output = NULL;
		}
	}
	wl_list_for_each (toplevel, &server->toplevels, link) {
		if (toplevel->output != NULL || server->stopping) {
			continue;
		}
		toplevel->output = toplevel_find_output(toplevel);
		// One with a place of its own keeps it, or has been rescued.
		if (toplevel->fullscreen || toplevel->layout != TOPLEVEL_FLOATING) {
			toplevel_arrange(toplevel);
		}
	}
}

static void update_background(struct output *output) {
	uint32_t rgb = output->server->config->theme.background;
	float color[4] = {((rgb >> 16) & 0xff) / 255.0f, ((rgb >> 8) & 0xff) / 255.0f,
		(rgb & 0xff) / 255.0f, 1};
	wlr_scene_rect_set_color(output->background, color);
}

void output_set_shown(struct output *output, bool shown, bool has_position, int x, int y) {
	struct server *server = output->server;
	struct wlr_output *wlr_output = output->wlr_output;
	if (!shown) {
		if (output->scene_output == NULL) {
			return;
		}
		layer_close_output(output);
		wlr_scene_node_destroy(&output->background->node);
		output->background = NULL;
		wlr_scene_output_destroy(output->scene_output);
		output->scene_output = NULL;
		output->box = output->usable = (struct wlr_box){0};
		wlr_output_layout_remove(server->layout, wlr_output);
		evacuate(output);
		return;
	}
	if (output->scene_output == NULL) {
		float color[4] = {0, 0, 0, 1};
		output->background =
			wlr_scene_rect_create(server->stack[STACK_BACKGROUND], 0, 0, color);
		output->scene_output = wlr_scene_output_create(server->scene, wlr_output);
		wlr_scene_node_lower_to_bottom(&output->background->node);
		update_background(output);
	}
	struct wlr_output_layout_output *layout_output =
		has_position ? wlr_output_layout_add(server->layout, wlr_output, x, y)
			     : wlr_output_layout_add_auto(server->layout, wlr_output);
	wlr_scene_output_layout_add_output(
		server->scene_layout, layout_output, output->scene_output);
}

/* An output that is a window of another session. */
static bool is_nested(struct wlr_output *wlr_output) {
#if WLR_HAS_X11_BACKEND
	if (wlr_output_is_x11(wlr_output)) {
		return true;
	}
#endif
	return wlr_output_is_wl(wlr_output);
}

static void name_window(struct wlr_output *wlr_output) {
	char title[64];
	snprintf(title, sizeof(title), "Portal (%s)", wlr_output->name);
	if (wlr_output_is_wl(wlr_output)) {
		wlr_wl_output_set_title(wlr_output, title);
		wlr_wl_output_set_app_id(wlr_output, "portal");
	}
#if WLR_HAS_X11_BACKEND
	if (wlr_output_is_x11(wlr_output)) {
		wlr_x11_output_set_title(wlr_output, title);
	}
#endif
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct output *output = wl_container_of(listener, output, destroy);
	struct server *server = output->server;
	output_set_shown(output, false, false, 0, 0);
	layer_close_output(output); // those that came while it was off
	wl_list_remove(&output->frame.link);
	wl_list_remove(&output->request_state.link);
	wl_list_remove(&output->destroy.link);
	wl_list_remove(&output->link);
	bool window_closed = is_nested(output->wlr_output);
	free(output);
	if (server->stopping) {
		return;
	}
	output_state_publish(server);
	if (window_closed && wl_list_empty(&server->outputs)) {
		// The user has closed the window that the whole desktop is in.
		server_stop(server);
	}
}

static void handle_new_output(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, new_output);
	struct wlr_output *wlr_output = data;
	if (wlr_output->non_desktop) {
		return;
	}
	if (!wlr_output_init_render(wlr_output, server->allocator, server->renderer)) {
		wlr_log(WLR_ERROR, "output %s: the renderer cannot draw on it", wlr_output->name);
		return;
	}
	struct output *output = calloc(1, sizeof(*output));
	if (output == NULL) {
		wlr_log(WLR_ERROR, "output %s: no memory", wlr_output->name);
		return;
	}
	output->server = server;
	output->wlr_output = wlr_output;
	wl_list_insert(server->outputs.prev, &output->link);
	output->frame.notify = handle_frame;
	wl_signal_add(&wlr_output->events.frame, &output->frame);
	output->request_state.notify = handle_request_state;
	wl_signal_add(&wlr_output->events.request_state, &output->request_state);
	output->destroy.notify = handle_destroy;
	wl_signal_add(&wlr_output->events.destroy, &output->destroy);
	name_window(wlr_output);
	output_state_configure(output);
	wlr_log(WLR_INFO, "output %s: %dx%d, scale %g", wlr_output->name, wlr_output->width,
		wlr_output->height, wlr_output->scale);
}

void output_configure_all(struct server *server) {
	struct output *output;
	wl_list_for_each (output, &server->outputs, link) {
		output_state_configure(output);
		if (output->background != NULL) {
			update_background(output);
		}
	}
}

void output_init(struct server *server) {
	server->new_output.notify = handle_new_output;
	wl_signal_add(&server->backend->events.new_output, &server->new_output);
	server->layout_change.notify = handle_layout_change;
	wl_signal_add(&server->layout->events.change, &server->layout_change);
	output_state_init(server);
}

void output_finish(struct server *server) {
	output_state_finish(server);
	wl_list_remove(&server->new_output.link);
	wl_list_remove(&server->layout_change.link);
}
