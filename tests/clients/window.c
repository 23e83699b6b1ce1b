#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "window.h"

static const char *state_names[WINDOW_MAX_STATES] = {
	[XDG_TOPLEVEL_STATE_MAXIMIZED] = "maximized",
	[XDG_TOPLEVEL_STATE_FULLSCREEN] = "fullscreen",
	[XDG_TOPLEVEL_STATE_RESIZING] = "resizing",
	[XDG_TOPLEVEL_STATE_ACTIVATED] = "activated",
	[XDG_TOPLEVEL_STATE_TILED_LEFT] = "tiled-left",
	[XDG_TOPLEVEL_STATE_TILED_RIGHT] = "tiled-right",
	[XDG_TOPLEVEL_STATE_TILED_TOP] = "tiled-top",
	[XDG_TOPLEVEL_STATE_TILED_BOTTOM] = "tiled-bottom",
	[XDG_TOPLEVEL_STATE_SUSPENDED] = "suspended",
};

void window_print(struct window *window, const char *what) {
	char states[256] = "";
	for (int i = 0; i < WINDOW_MAX_STATES; i++) {
		if ((window->states & (1u << i)) != 0 && state_names[i] != NULL) {
			strcat(strcat(states, " "), state_names[i]);
		}
	}
	client_log("%s %dx%d%s", what, window->width, window->height, states);
}

static void toplevel_handle_configure(void *data, struct xdg_toplevel *toplevel, int32_t width,
	int32_t height, struct wl_array *states) {
	struct window *window = data;
	window->width = width;
	window->height = height;
	window->states = 0;
	uint32_t *state;
	wl_array_for_each (state, states) {
		if (*state < WINDOW_MAX_STATES) {
			window->states |= 1u << *state;
		}
	}
}

static void toplevel_handle_close(void *data, struct xdg_toplevel *toplevel) {
	struct window *window = data;
	client_log("close");
	window->client->closed = true;
}

static void toplevel_handle_configure_bounds(
	void *data, struct xdg_toplevel *toplevel, int32_t width, int32_t height) {
	struct window *window = data;
	if (window->log) {
		client_log("bounds %dx%d", width, height);
	}
}

static void toplevel_handle_wm_capabilities(
	void *data, struct xdg_toplevel *toplevel, struct wl_array *capabilities) {
	struct window *window = data;
	if (!window->log) {
		return;
	}
	char line[64] = "capabilities";
	uint32_t *capability;
	wl_array_for_each (capability, capabilities) {
		size_t length = strlen(line);
		snprintf(line + length, sizeof(line) - length, " %u", *capability);
	}
	client_log("%s", line);
}

static const struct xdg_toplevel_listener toplevel_listener = {
	.configure = toplevel_handle_configure,
	.close = toplevel_handle_close,
	.configure_bounds = toplevel_handle_configure_bounds,
	.wm_capabilities = toplevel_handle_wm_capabilities,
};

/* A compositor may hold back what it shows until its configure has been answered. The window with
 * the focus is on top and will be presented; one that lost it may be covered and never be. */
static void answer(struct window *window) {
	window_ack(window);
	if ((window->states & (1u << XDG_TOPLEVEL_STATE_ACTIVATED)) != 0) {
		client_expect_frame(window->client, window->surface);
	}
	wl_surface_commit(window->surface);
}

static void xdg_surface_handle_configure(
	void *data, struct xdg_surface *xdg_surface, uint32_t serial) {
	struct window *window = data;
	window->serial = serial;
	window->configured = true;
	if (window->log) {
		window_print(window, "configure");
	}
	if (window->mapped && !window->manual) {
		answer(window);
	}
}

static const struct xdg_surface_listener xdg_surface_listener = {
	.configure = xdg_surface_handle_configure,
};

static void decoration_handle_configure(
	void *data, struct zxdg_toplevel_decoration_v1 *decoration, uint32_t mode) {
	struct window *window = data;
	if (window->log) {
		client_log("decoration %s",
			mode == ZXDG_TOPLEVEL_DECORATION_V1_MODE_SERVER_SIDE ? "server" : "client");
	}
}

static const struct zxdg_toplevel_decoration_v1_listener decoration_listener = {
	.configure = decoration_handle_configure,
};

struct window *window_begin(struct client *client, const char *name, int width, int height) {
	struct window *window = calloc(1, sizeof(*window));
	if (window == NULL) {
		client_fail("out of memory");
	}
	window->client = client;
	window->surface = wl_compositor_create_surface(client->compositor);
	window->xdg_surface = xdg_wm_base_get_xdg_surface(client->wm_base, window->surface);
	xdg_surface_add_listener(window->xdg_surface, &xdg_surface_listener, window);
	window->toplevel = xdg_surface_get_toplevel(window->xdg_surface);
	xdg_toplevel_add_listener(window->toplevel, &toplevel_listener, window);
	char app_id[128];
	snprintf(app_id, sizeof(app_id), "portal.test.%s", name);
	xdg_toplevel_set_app_id(window->toplevel, app_id);
	xdg_toplevel_set_title(window->toplevel, name);
	if (width != 0) {
		xdg_toplevel_set_min_size(window->toplevel, width, height);
		xdg_toplevel_set_max_size(window->toplevel, width, height);
	}
	if (client->decorations != NULL) {
		window->decoration = zxdg_decoration_manager_v1_get_toplevel_decoration(
			client->decorations, window->toplevel);
		zxdg_toplevel_decoration_v1_add_listener(
			window->decoration, &decoration_listener, window);
		zxdg_toplevel_decoration_v1_set_mode(
			window->decoration, ZXDG_TOPLEVEL_DECORATION_V1_MODE_SERVER_SIDE);
	}
	return window;
}

struct window *window_create(struct client *client, const char *name, int width, int height) {
	struct window *window = window_begin(client, name, width, height);
	wl_surface_commit(window->surface);
	client_wait(client, &window->configured);
	return window;
}

void window_destroy(struct window *window) {
	if (window == NULL) {
		return;
	}
	if (window->decoration != NULL) {
		zxdg_toplevel_decoration_v1_destroy(window->decoration);
	}
	xdg_toplevel_destroy(window->toplevel);
	xdg_surface_destroy(window->xdg_surface);
	wl_surface_destroy(window->surface);
	buffer_destroy(window->buffer);
	free(window);
}

void window_ack(struct window *window) {
	if (window->serial != 0) {
		xdg_surface_ack_configure(window->xdg_surface, window->serial);
		window->serial = 0;
	}
}

void window_await_configure(struct window *window) {
	window->configured = false;
	client_wait(window->client, &window->configured);
}

void window_show(struct window *window, struct buffer *buffer) {
	window->mapped = true;
	window_ack(window);
	buffer_attach(buffer, window->surface);
	wl_surface_damage_buffer(window->surface, 0, 0, buffer->width, buffer->height);
	client_expect_frame(window->client, window->surface);
	wl_surface_commit(window->surface);
}

void window_draw(struct window *window, int width, int height, uint32_t seed) {
	struct buffer *buffer = buffer_create_argb(window->client, width, height);
	buffer_pattern(buffer, seed);
	window_show(window, buffer);
	/* Destroying a wl_buffer the surface still shows leaves its content undefined. */
	client_wait_presented(window->client);
	buffer_destroy(window->buffer);
	window->buffer = buffer;
}
