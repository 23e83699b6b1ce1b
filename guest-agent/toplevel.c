#include "toplevel.h"
#include "agent.h"
#include "app.h"
#include "connection.h"
#include "decoration.h"
#include "output.h"
#include "seat.h"
#include "server.h"
#include "surface.h"
#include "xdg.h"
#include <stdlib.h>
#include <string.h>
#include <wayland-client-protocol.h>
#include <wlr/types/wlr_xdg_shell.h>
#include <wlr/util/edges.h>
#include <xdg-shell-client-protocol.h>

/* The mirror's events: collected until its xdg_surface.configure */

static void add_state(struct toplevel *toplevel, uint32_t state) {
	struct wlr_xdg_toplevel_configure *next = &toplevel->next;

	switch (state) {
	case XDG_TOPLEVEL_STATE_MAXIMIZED:
		next->maximized = true;
		break;
	case XDG_TOPLEVEL_STATE_FULLSCREEN:
		next->fullscreen = true;
		break;
	case XDG_TOPLEVEL_STATE_RESIZING:
		next->resizing = true;
		break;
	case XDG_TOPLEVEL_STATE_ACTIVATED:
		next->activated = true;
		break;
	case XDG_TOPLEVEL_STATE_SUSPENDED:
		next->suspended = true;
		break;
	case XDG_TOPLEVEL_STATE_TILED_LEFT:
		next->tiled |= WLR_EDGE_LEFT;
		break;
	case XDG_TOPLEVEL_STATE_TILED_RIGHT:
		next->tiled |= WLR_EDGE_RIGHT;
		break;
	case XDG_TOPLEVEL_STATE_TILED_TOP:
		next->tiled |= WLR_EDGE_TOP;
		break;
	case XDG_TOPLEVEL_STATE_TILED_BOTTOM:
		next->tiled |= WLR_EDGE_BOTTOM;
		break;
	case XDG_TOPLEVEL_STATE_CONSTRAINED_LEFT:
		next->constrained |= WLR_EDGE_LEFT;
		break;
	case XDG_TOPLEVEL_STATE_CONSTRAINED_RIGHT:
		next->constrained |= WLR_EDGE_RIGHT;
		break;
	case XDG_TOPLEVEL_STATE_CONSTRAINED_TOP:
		next->constrained |= WLR_EDGE_TOP;
		break;
	case XDG_TOPLEVEL_STATE_CONSTRAINED_BOTTOM:
		next->constrained |= WLR_EDGE_BOTTOM;
		break;
	default:
		break; // of a later version
	}
}

static void handle_configure(void *data, struct xdg_toplevel *mirror, int32_t width, int32_t height,
	struct wl_array *states) {
	struct toplevel *toplevel = data;
	struct wlr_xdg_toplevel_configure *next = &toplevel->next;

	*next = (struct wlr_xdg_toplevel_configure){
		.fields = next->fields,
		.bounds = next->bounds,
		.wm_capabilities = next->wm_capabilities,
		.width = width > 0 ? width : 0,
		.height = height > 0 ? height : 0,
	};
	uint32_t *state;
	wl_array_for_each (state, states) {
		add_state(toplevel, *state);
	}
}

static void handle_close(void *data, struct xdg_toplevel *mirror) {
	struct toplevel *toplevel = data;
	wlr_xdg_toplevel_send_close(toplevel->wlr);
}

static void handle_configure_bounds(
	void *data, struct xdg_toplevel *mirror, int32_t width, int32_t height) {
	struct toplevel *toplevel = data;
	toplevel->next.fields |= WLR_XDG_TOPLEVEL_CONFIGURE_BOUNDS;
	toplevel->next.bounds.width = width > 0 ? width : 0;
	toplevel->next.bounds.height = height > 0 ? height : 0;
}

static void handle_wm_capabilities(
	void *data, struct xdg_toplevel *mirror, struct wl_array *capabilities) {
	struct toplevel *toplevel = data;
	static const uint32_t bits[] = {
		[XDG_TOPLEVEL_WM_CAPABILITIES_WINDOW_MENU] =
			WLR_XDG_TOPLEVEL_WM_CAPABILITIES_WINDOW_MENU,
		[XDG_TOPLEVEL_WM_CAPABILITIES_MAXIMIZE] = WLR_XDG_TOPLEVEL_WM_CAPABILITIES_MAXIMIZE,
		[XDG_TOPLEVEL_WM_CAPABILITIES_FULLSCREEN] =
			WLR_XDG_TOPLEVEL_WM_CAPABILITIES_FULLSCREEN,
		[XDG_TOPLEVEL_WM_CAPABILITIES_MINIMIZE] = WLR_XDG_TOPLEVEL_WM_CAPABILITIES_MINIMIZE,
	};

	toplevel->next.fields |= WLR_XDG_TOPLEVEL_CONFIGURE_WM_CAPABILITIES;
	toplevel->next.wm_capabilities = 0;
	uint32_t *capability;
	wl_array_for_each (capability, capabilities) {
		if (*capability < sizeof(bits) / sizeof(bits[0])) {
			toplevel->next.wm_capabilities |= bits[*capability];
		}
	}
}

static const struct xdg_toplevel_listener toplevel_listener = {
	.configure = handle_configure,
	.close = handle_close,
	.configure_bounds = handle_configure_bounds,
	.wm_capabilities = handle_wm_capabilities,
};

void toplevel_configure(struct toplevel *toplevel, bool again) {
	struct wlr_xdg_toplevel_configure *scheduled = &toplevel->wlr->scheduled;
	struct wlr_xdg_toplevel_configure next = toplevel->next;

	if (again && next.width == 0 && next.height == 0) {
		// "Choose your size" would make it forget the one it has.
		next.width = toplevel->xdg->wlr->geometry.width;
		next.height = toplevel->xdg->wlr->geometry.height;
	}
	// What was scheduled and not sent yet stays so.
	next.fields |= scheduled->fields;
	if ((toplevel->next.fields & WLR_XDG_TOPLEVEL_CONFIGURE_BOUNDS) == 0) {
		next.bounds = scheduled->bounds;
	}
	if ((toplevel->next.fields & WLR_XDG_TOPLEVEL_CONFIGURE_WM_CAPABILITIES) == 0) {
		next.wm_capabilities = scheduled->wm_capabilities;
	}
	*scheduled = next;
	toplevel->next.fields = 0;
	if (toplevel->decoration != NULL) {
		decoration_configure(toplevel->decoration);
	}
}

/* The mirror */

static struct toplevel *toplevel_from_wlr(struct wlr_xdg_toplevel *wlr) {
	struct xdg *xdg = wlr != NULL ? wlr->base->data : NULL;
	return xdg != NULL ? xdg->toplevel : NULL;
}

static void send_parent(struct toplevel *toplevel) {
	struct toplevel *parent = toplevel_from_wlr(toplevel->wlr->parent);
	xdg_toplevel_set_parent(toplevel->mirror, parent != NULL ? parent->mirror : NULL);
}

static void send_maximized(struct toplevel *toplevel, bool maximized) {
	if (maximized) {
		xdg_toplevel_set_maximized(toplevel->mirror);
	} else {
		xdg_toplevel_unset_maximized(toplevel->mirror);
	}
}

static void send_fullscreen(struct toplevel *toplevel, bool fullscreen) {
	const struct wlr_output *output = toplevel->wlr->requested.fullscreen_output;
	if (fullscreen) {
		xdg_toplevel_set_fullscreen(toplevel->mirror,
			output != NULL
				? output_mirror(toplevel->xdg->surface->app->connection, output)
				: NULL);
	} else {
		xdg_toplevel_unset_fullscreen(toplevel->mirror);
	}
}

void toplevel_realize(struct toplevel *toplevel) {
	struct wlr_xdg_toplevel *wlr = toplevel->wlr;
	bool mapped = wlr->base->surface->mapped;

	toplevel->mirror = xdg_surface_get_toplevel(toplevel->xdg->mirror);
	xdg_toplevel_add_listener(toplevel->mirror, &toplevel_listener, toplevel);
	toplevel->next = (struct wlr_xdg_toplevel_configure){0};
	if (toplevel->decoration != NULL) {
		decoration_realize(toplevel->decoration);
	}
	if (wlr->title != NULL) {
		xdg_toplevel_set_title(toplevel->mirror, wlr->title);
	}
	if (wlr->app_id != NULL) {
		xdg_toplevel_set_app_id(toplevel->mirror, wlr->app_id);
	}
	if (wlr->parent != NULL) {
		send_parent(toplevel);
	}
	// A window that comes back is as it was, also where the user and not it asked for that.
	if (mapped ? wlr->current.maximized : wlr->requested.maximized) {
		send_maximized(toplevel, true);
	}
	if (mapped ? wlr->current.fullscreen : wlr->requested.fullscreen) {
		send_fullscreen(toplevel, true);
	}
	if (!mapped && wlr->requested.minimized) {
		xdg_toplevel_set_minimized(toplevel->mirror);
	}
}

void toplevel_unrealize(struct toplevel *toplevel) {
	if (toplevel->mirror == NULL) {
		return;
	}
	if (toplevel->decoration != NULL) {
		decoration_unrealize(toplevel->decoration);
	}
	xdg_toplevel_destroy(toplevel->mirror);
	toplevel->mirror = NULL;
	toplevel->title_late = toplevel->app_id_late = false;
	toplevel->min_width = toplevel->min_height = 0;
	toplevel->max_width = toplevel->max_height = 0;
}

bool toplevel_changed(const struct toplevel *toplevel) {
	const struct wlr_xdg_toplevel_state *state = &toplevel->wlr->current;
	return toplevel->min_width != state->min_width ||
	       toplevel->min_height != state->min_height ||
	       toplevel->max_width != state->max_width || toplevel->max_height != state->max_height;
}

void toplevel_send(struct toplevel *toplevel) {
	const struct wlr_xdg_toplevel_state *state = &toplevel->wlr->current;

	if (toplevel->mirror == NULL || !toplevel_changed(toplevel)) {
		return;
	}
	xdg_toplevel_set_min_size(toplevel->mirror, state->min_width, state->min_height);
	xdg_toplevel_set_max_size(toplevel->mirror, state->max_width, state->max_height);
	toplevel->min_width = state->min_width;
	toplevel->min_height = state->min_height;
	toplevel->max_width = state->max_width;
	toplevel->max_height = state->max_height;
}

void toplevel_shown(struct toplevel *toplevel) {
	// Compositors heed a parent only when it is mapped, so children say it again.
	struct surface *surface;
	wl_list_for_each (surface, &toplevel->xdg->surface->app->surfaces, link) {
		struct toplevel *child = surface->xdg != NULL ? surface->xdg->toplevel : NULL;
		if (child != NULL && child->mirror != NULL && child->wlr->parent == toplevel->wlr) {
			send_parent(child);
		}
	}
}

/* The application's requests */

static bool is_congested(const struct toplevel *toplevel) {
	return toplevel->xdg->surface->app->connection->congested;
}

void toplevel_catch_up(struct toplevel *toplevel) {
	if (toplevel->mirror == NULL) {
		return;
	}
	if (toplevel->title_late) {
		xdg_toplevel_set_title(toplevel->mirror, toplevel->wlr->title);
	}
	if (toplevel->app_id_late) {
		xdg_toplevel_set_app_id(toplevel->mirror, toplevel->wlr->app_id);
	}
	toplevel->title_late = toplevel->app_id_late = false;
}

static void handle_set_title(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, set_title);
	if (toplevel->mirror != NULL) {
		toplevel->title_late = true;
		if (!is_congested(toplevel)) {
			toplevel_catch_up(toplevel);
		}
	}
}

static void handle_set_app_id(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, set_app_id);
	if (toplevel->mirror != NULL) {
		toplevel->app_id_late = true;
		if (!is_congested(toplevel)) {
			toplevel_catch_up(toplevel);
		}
	}
}

static void handle_set_parent(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, set_parent);
	if (toplevel->mirror != NULL) {
		send_parent(toplevel);
	}
}

static void handle_request_maximize(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, request_maximize);
	if (toplevel->mirror != NULL) {
		send_maximized(toplevel, toplevel->wlr->requested.maximized);
	}
}

static void handle_request_fullscreen(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, request_fullscreen);
	if (toplevel->mirror != NULL) {
		send_fullscreen(toplevel, toplevel->wlr->requested.fullscreen);
	}
}

static void handle_request_minimize(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, request_minimize);
	if (toplevel->mirror != NULL) {
		xdg_toplevel_set_minimized(toplevel->mirror);
	}
}

/* The controller's seat and serial for a local one; false when either is gone or forgotten. */
static bool find_input(struct toplevel *toplevel, struct wlr_seat_client *client, uint32_t local,
	struct wl_seat **seat, uint32_t *serial) {
	struct connection *connection = toplevel->xdg->surface->app->connection;

	if (toplevel->mirror == NULL || client == NULL) {
		return false;
	}
	struct seat_link *link = seat_link_find(connection, client->seat->data);
	*serial = serial_map_find(&connection->serials, local);
	if (link == NULL || *serial == 0) {
		return false;
	}
	*seat = link->mirror;
	return true;
}

static void handle_request_move(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, request_move);
	struct wlr_xdg_toplevel_move_event *event = data;
	struct wl_seat *seat;
	uint32_t serial;

	if (find_input(toplevel, event->seat, event->serial, &seat, &serial)) {
		xdg_toplevel_move(toplevel->mirror, seat, serial);
	}
}

static void handle_request_resize(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, request_resize);
	struct wlr_xdg_toplevel_resize_event *event = data;
	struct wl_seat *seat;
	uint32_t serial;

	if (find_input(toplevel, event->seat, event->serial, &seat, &serial)) {
		xdg_toplevel_resize(toplevel->mirror, seat, serial, event->edges);
	}
}

static void handle_request_show_window_menu(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, request_show_window_menu);
	struct wlr_xdg_toplevel_show_window_menu_event *event = data;
	struct wl_seat *seat;
	uint32_t serial;

	if (find_input(toplevel, event->seat, event->serial, &seat, &serial)) {
		xdg_toplevel_show_window_menu(toplevel->mirror, seat, serial, event->x, event->y);
	}
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct toplevel *toplevel = wl_container_of(listener, toplevel, destroy);
	struct wl_listener *listeners[] = {
		&toplevel->set_title,
		&toplevel->set_app_id,
		&toplevel->set_parent,
		&toplevel->request_maximize,
		&toplevel->request_fullscreen,
		&toplevel->request_minimize,
		&toplevel->request_move,
		&toplevel->request_resize,
		&toplevel->request_show_window_menu,
		&toplevel->destroy,
	};

	xdg_unrealize(toplevel->xdg);
	surface_hide(toplevel->xdg->surface);
	if (toplevel->decoration != NULL) {
		decoration_orphan(toplevel->decoration);
	}
	for (size_t i = 0; i < sizeof(listeners) / sizeof(listeners[0]); i++) {
		wl_list_remove(&listeners[i]->link);
	}
	toplevel->xdg->toplevel = NULL;
	free(toplevel);
}

static void listen(
	struct wl_signal *signal, struct wl_listener *listener, wl_notify_func_t handler) {
	listener->notify = handler;
	wl_signal_add(signal, listener);
}

void toplevel_create(struct wlr_xdg_toplevel *wlr) {
	struct toplevel *toplevel = calloc(1, sizeof(*toplevel));
	struct xdg *xdg = xdg_from_wlr(wlr->base);

	if (toplevel == NULL || xdg == NULL) {
		free(toplevel);
		wl_resource_post_no_memory(wlr->resource);
		return;
	}
	toplevel->xdg = xdg;
	toplevel->wlr = wlr;
	xdg->toplevel = toplevel;
	listen(&wlr->events.set_title, &toplevel->set_title, handle_set_title);
	listen(&wlr->events.set_app_id, &toplevel->set_app_id, handle_set_app_id);
	listen(&wlr->events.set_parent, &toplevel->set_parent, handle_set_parent);
	listen(&wlr->events.request_maximize, &toplevel->request_maximize, handle_request_maximize);
	listen(&wlr->events.request_fullscreen, &toplevel->request_fullscreen,
		handle_request_fullscreen);
	listen(&wlr->events.request_minimize, &toplevel->request_minimize, handle_request_minimize);
	listen(&wlr->events.request_move, &toplevel->request_move, handle_request_move);
	listen(&wlr->events.request_resize, &toplevel->request_resize, handle_request_resize);
	listen(&wlr->events.request_show_window_menu, &toplevel->request_show_window_menu,
		handle_request_show_window_menu);
	listen(&wlr->events.destroy, &toplevel->destroy, handle_destroy);
	decoration_adopt(toplevel, xdg->surface->app->agent->server->kde_decoration);
}
