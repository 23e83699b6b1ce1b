/* orders: every request about a window in every state that a window can be in, also where it makes
 * no sense: before the initial commit, configured, shown, hidden by a null buffer, and on the way
 * back. The compositor may answer what it likes, but has to live on. */
#include "feature.h"
#include "popup.h"
#include "seatlog.h"
#include "window.h"

static const struct place place = {"menu", 10, 10, 20, 20, XDG_POSITIONER_ANCHOR_BOTTOM,
	XDG_POSITIONER_GRAVITY_BOTTOM, 0, 0, 0, 60, 40, false};

/* A toplevel whose every step is taken by hand. */
struct bare {
	struct client *client;
	struct wl_surface *surface;
	struct xdg_surface *xdg_surface;
	struct xdg_toplevel *toplevel;
	struct zxdg_toplevel_decoration_v1 *decoration; // NULL: none
	struct buffer *buffer;
	uint32_t serial; // 0: nothing to acknowledge
};

static void handle_configure(void *data, struct xdg_surface *xdg_surface, uint32_t serial) {
	struct bare *bare = data;
	bare->serial = serial;
}

static const struct xdg_surface_listener xdg_surface_listener = {.configure = handle_configure};

static void handle_toplevel_configure(void *data, struct xdg_toplevel *toplevel, int32_t width,
	int32_t height, struct wl_array *states) {
	/* The size stays what it is. */
}

static void handle_close(void *data, struct xdg_toplevel *toplevel) {
	/* It goes by itself. */
}

static void handle_bounds(
	void *data, struct xdg_toplevel *toplevel, int32_t width, int32_t height) {
	/* The size stays what it is. */
}

static void handle_capabilities(
	void *data, struct xdg_toplevel *toplevel, struct wl_array *capabilities) {
	/* All of them are asked for anyway. */
}

static const struct xdg_toplevel_listener toplevel_listener = {
	.configure = handle_toplevel_configure,
	.close = handle_close,
	.configure_bounds = handle_bounds,
	.wm_capabilities = handle_capabilities,
};

static void init(struct bare *bare, struct client *client) {
	*bare = (struct bare){.client = client};
	bare->surface = wl_compositor_create_surface(client->compositor);
	bare->xdg_surface = xdg_wm_base_get_xdg_surface(client->wm_base, bare->surface);
	xdg_surface_add_listener(bare->xdg_surface, &xdg_surface_listener, bare);
	bare->toplevel = xdg_surface_get_toplevel(bare->xdg_surface);
	xdg_toplevel_add_listener(bare->toplevel, &toplevel_listener, bare);
	if (client->decorations != NULL) {
		bare->decoration = zxdg_decoration_manager_v1_get_toplevel_decoration(
			client->decorations, bare->toplevel);
	}
	bare->buffer = buffer_create_argb(client, 120, 90);
	buffer_pattern(bare->buffer, 11);
}

static void finish(struct bare *bare) {
	if (bare->decoration != NULL) {
		zxdg_toplevel_decoration_v1_destroy(bare->decoration);
	}
	xdg_toplevel_destroy(bare->toplevel);
	xdg_surface_destroy(bare->xdg_surface);
	wl_surface_destroy(bare->surface);
	buffer_destroy(bare->buffer);
}

static void ask_everything(struct bare *bare, struct bare *other) {
	struct client *client = bare->client;
	struct xdg_toplevel *toplevel = bare->toplevel;
	xdg_toplevel_set_title(toplevel, "orders");
	xdg_toplevel_set_app_id(toplevel, "portal.test.orders");
	xdg_toplevel_set_parent(toplevel, other->toplevel);
	xdg_toplevel_set_min_size(toplevel, 10, 10);
	xdg_toplevel_set_max_size(toplevel, 2000, 2000);
	xdg_toplevel_set_maximized(toplevel);
	xdg_toplevel_set_fullscreen(toplevel, NULL);
	xdg_toplevel_unset_maximized(toplevel);
	xdg_toplevel_set_minimized(toplevel);
	xdg_toplevel_unset_fullscreen(toplevel);
	if (bare->decoration != NULL) {
		zxdg_toplevel_decoration_v1_set_mode(
			bare->decoration, ZXDG_TOPLEVEL_DECORATION_V1_MODE_CLIENT_SIDE);
		zxdg_toplevel_decoration_v1_unset_mode(bare->decoration);
	}
	xdg_toplevel_set_parent(toplevel, NULL);
	client_roundtrip(client);
	xdg_toplevel_set_fullscreen(toplevel, NULL);
	client_roundtrip(client);
	xdg_toplevel_unset_fullscreen(toplevel);
	client_roundtrip(client);
	/* A popup that comes and goes without ever being shown. */
	struct wl_surface *surface = wl_compositor_create_surface(client->compositor);
	struct xdg_surface *xdg_surface = xdg_wm_base_get_xdg_surface(client->wm_base, surface);
	struct xdg_positioner *positioner = popup_positioner(client, &place);
	struct xdg_popup *popup = xdg_surface_get_popup(xdg_surface, bare->xdg_surface, positioner);
	xdg_popup_grab(popup, client->seat, 1);
	wl_surface_commit(surface);
	client_roundtrip(client);
	xdg_popup_destroy(popup);
	xdg_surface_destroy(xdg_surface);
	wl_surface_destroy(surface);
	xdg_positioner_destroy(positioner);
	client_roundtrip(client);
}

static void commit(struct bare *bare, struct buffer *buffer) {
	if (bare->serial != 0) {
		xdg_surface_ack_configure(bare->xdg_surface, bare->serial);
		bare->serial = 0;
	}
	if (buffer != NULL) {
		buffer_attach(buffer, bare->surface);
		wl_surface_damage_buffer(bare->surface, 0, 0, buffer->width, buffer->height);
	}
	wl_surface_commit(bare->surface);
	client_roundtrip(bare->client);
}

void feature_orders(struct client *client, int argc, char **argv) {
	struct bare one, other;
	struct seatlog log;
	seatlog_init(&log, client, true);
	init(&one, client);
	init(&other, client);
	ask_everything(&one, &other); // before the initial commit
	commit(&one, NULL);
	ask_everything(&one, &other); // configured, or about to be
	commit(&one, one.buffer);
	ask_everything(&one, &other); // shown
	commit(&other, NULL);
	commit(&other, other.buffer);
	ask_everything(&one, &other); // with a parent that is shown
	wl_surface_attach(one.surface, NULL, 0, 0);
	one.serial = 0;
	wl_surface_commit(one.surface);
	ask_everything(&one, &other); // hidden
	commit(&one, NULL);
	ask_everything(&one, &other); // on the way back
	commit(&one, one.buffer);
	ask_everything(&one, &other);
	client_stage(client, "orders");
	finish(&one);
	finish(&other);
	seatlog_finish(&log);
}
