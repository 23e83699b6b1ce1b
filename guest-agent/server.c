#include "server.h"
#include "activation.h"
#include "agent.h"
#include "app.h"
#include "connection.h"
#include "cursor.h"
#include "decoration.h"
#include "popup.h"
#include "surface.h"
#include "toplevel.h"
#include <errno.h>
#include <stdlib.h>
#include <wayland-client-core.h>
#include <wayland-client-protocol.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_cursor_shape_v1.h>
#include <wlr/types/wlr_data_control_v1.h>
#include <wlr/types/wlr_data_device.h>
#include <wlr/types/wlr_ext_data_control_v1.h>
#include <wlr/types/wlr_fractional_scale_v1.h>
#include <wlr/types/wlr_output_layout.h>
#include <wlr/types/wlr_presentation_time.h>
#include <wlr/types/wlr_primary_selection_v1.h>
#include <wlr/types/wlr_server_decoration.h>
#include <wlr/types/wlr_shm.h>
#include <wlr/types/wlr_single_pixel_buffer_v1.h>
#include <wlr/types/wlr_subcompositor.h>
#include <wlr/types/wlr_viewporter.h>
#include <wlr/types/wlr_xdg_activation_v1.h>
#include <wlr/types/wlr_xdg_decoration_v1.h>
#include <wlr/types/wlr_xdg_output_v1.h>
#include <wlr/types/wlr_xdg_shell.h>

// The highest versions that wlroots 0.20 offers
#define COMPOSITOR_VERSION 6
#define XDG_WM_BASE_VERSION 7
#define PRESENTATION_VERSION 2
#define CURSOR_SHAPE_VERSION 2
#define SHM_VERSION 2
#define DATA_CONTROL_VERSION 1

static void handle_new_surface(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, new_surface);
	struct wlr_surface *wlr = data;
	struct wl_client *client = wl_resource_get_client(wlr->resource);
	struct app *app = app_from_client(server->agent, client);

	if (surface_create(app, wlr) == NULL) {
		wl_client_post_no_memory(client);
	}
}

static void handle_new_toplevel(struct wl_listener *listener, void *data) {
	toplevel_create(data);
}

static void handle_new_popup(struct wl_listener *listener, void *data) {
	popup_create(data);
}

static void handle_new_decoration(struct wl_listener *listener, void *data) {
	decoration_create(data);
}

static void handle_new_kde_decoration(struct wl_listener *listener, void *data) {
	decoration_create_kde(data);
}

static void handle_set_shape(struct wl_listener *listener, void *data) {
	cursor_set_shape(data);
}

struct server *server_create(struct agent *agent) {
	struct server *server = calloc(1, sizeof(*server));
	if (server == NULL) {
		return NULL;
	}
	server->agent = agent;
	server->layout = wlr_output_layout_create(agent->display);
	if (server->layout == NULL) {
		free(server);
		errno = ENOMEM;
		return NULL;
	}
	struct wl_listener *listeners[] = {
		&server->new_surface,
		&server->new_toplevel,
		&server->new_popup,
		&server->new_decoration,
		&server->new_kde_decoration,
		&server->set_shape,
		&server->request_activate,
	};
	for (size_t i = 0; i < sizeof(listeners) / sizeof(listeners[0]); i++) {
		wl_list_init(&listeners[i]->link);
	}
	return server;
}

void server_destroy(struct server *server) {
	if (server == NULL) {
		return;
	}
	wl_list_remove(&server->new_surface.link);
	wl_list_remove(&server->new_toplevel.link);
	wl_list_remove(&server->new_popup.link);
	wl_list_remove(&server->new_decoration.link);
	wl_list_remove(&server->new_kde_decoration.link);
	wl_list_remove(&server->set_shape.link);
	wl_list_remove(&server->request_activate.link);
	free(server);
}

void server_place_output(struct agent *agent, struct wlr_output *output, int32_t x, int32_t y) {
	wlr_output_layout_add(agent->server->layout, output, x, y);
}

void server_place_output_beside(struct agent *agent, struct wlr_output *output) {
	wlr_output_layout_add_auto(agent->server->layout, output);
}

static uint32_t version_of(void *mirror, uint32_t max) {
	uint32_t version = wl_proxy_get_version(mirror);
	return version < max ? version : max;
}

static void listen(
	struct wl_signal *signal, struct wl_listener *listener, wl_notify_func_t handler) {
	wl_list_remove(&listener->link);
	listener->notify = handler;
	wl_signal_add(signal, listener);
}

static bool start_surfaces(struct server *server, const struct connection *connection) {
	struct wl_display *display = server->agent->display;
	struct wlr_compositor *compositor = wlr_compositor_create(
		display, version_of(connection->compositor, COMPOSITOR_VERSION), NULL);
	struct wlr_xdg_shell *shell =
		wlr_xdg_shell_create(display, version_of(connection->wm_base, XDG_WM_BASE_VERSION));
	struct wlr_shm *shm = wlr_shm_create(display, SHM_VERSION, connection->formats.data,
		connection->formats.size / sizeof(uint32_t));

	if (compositor == NULL || shell == NULL || shm == NULL ||
		(connection->subcompositor != NULL && wlr_subcompositor_create(display) == NULL)) {
		return false;
	}
	shell->ping_timeout = 0; // the controller judges who does not answer
	listen(&compositor->events.new_surface, &server->new_surface, handle_new_surface);
	listen(&shell->events.new_toplevel, &server->new_toplevel, handle_new_toplevel);
	listen(&shell->events.new_popup, &server->new_popup, handle_new_popup);

	// A solid colour is one pixel to copy, which any controller can show.
	return wlr_single_pixel_buffer_manager_v1_create(display) != NULL &&
	       (connection->viewporter == NULL || wlr_viewporter_create(display) != NULL);
}

/* GTK leaves out its title bar only for one who speaks KDE's protocol. */
static bool start_decorations(struct server *server) {
	struct wl_display *display = server->agent->display;
	struct wlr_xdg_decoration_manager_v1 *manager =
		wlr_xdg_decoration_manager_v1_create(display);

	server->kde_decoration = wlr_server_decoration_manager_create(display);
	if (manager == NULL || server->kde_decoration == NULL) {
		return false;
	}
	wlr_server_decoration_manager_set_default_mode(
		server->kde_decoration, WLR_SERVER_DECORATION_MANAGER_MODE_SERVER);
	listen(&manager->events.new_toplevel_decoration, &server->new_decoration,
		handle_new_decoration);
	listen(&server->kde_decoration->events.new_decoration, &server->new_kde_decoration,
		handle_new_kde_decoration);
	return true;
}

static bool start_windows(struct server *server, const struct connection *connection) {
	struct wl_display *display = server->agent->display;

	if (connection->decoration != NULL && !start_decorations(server)) {
		return false;
	}
	if (connection->activation != NULL) {
		server->activation = wlr_xdg_activation_v1_create(display);
		if (server->activation == NULL) {
			return false;
		}
		server->activation->token_timeout_msec = ACTIVATION_TIMEOUT_MSEC;
		listen(&server->activation->events.request_activate, &server->request_activate,
			activation_handle_request);
	}
	return true;
}

static bool start_outputs(struct server *server, const struct connection *connection) {
	struct wl_display *display = server->agent->display;

	if (connection->presentation != NULL &&
		wlr_presentation_create(display, NULL,
			version_of(connection->presentation, PRESENTATION_VERSION)) == NULL) {
		return false;
	}
	// A fractional scale is of no use without a viewport.
	if (connection->fractional_scale != NULL && connection->viewporter != NULL &&
		wlr_fractional_scale_manager_v1_create(display, 1) == NULL) {
		return false;
	}
	return wlr_xdg_output_manager_v1_create(display, server->layout) != NULL;
}

static bool start_input(struct server *server, const struct connection *connection) {
	struct wl_display *display = server->agent->display;

	if (connection->cursor_shape != NULL) {
		struct wlr_cursor_shape_manager_v1 *manager = wlr_cursor_shape_manager_v1_create(
			display, version_of(connection->cursor_shape, CURSOR_SHAPE_VERSION));
		if (manager == NULL) {
			return false;
		}
		listen(&manager->events.request_set_shape, &server->set_shape, handle_set_shape);
	}
	return true;
}

/*
 * Nothing of it leaves the guest, so all of the guest's programs have it, those without a window as
 * well: wl-copy and what keeps a history of the clipboard.
 */
static bool start_selections(struct wl_display *display) {
	return wlr_data_device_manager_create(display) != NULL &&
	       wlr_primary_selection_v1_device_manager_create(display) != NULL &&
	       wlr_data_control_manager_v1_create(display) != NULL &&
	       wlr_ext_data_control_manager_v1_create(display, DATA_CONTROL_VERSION) != NULL;
}

int server_start(struct server *server, const struct connection *connection) {
	server->started = true;
	if (!start_surfaces(server, connection) || !start_windows(server, connection) ||
		!start_outputs(server, connection) || !start_input(server, connection) ||
		!start_selections(server->agent->display)) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}
