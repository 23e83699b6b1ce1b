#include "decoration.h"
#include "app.h"
#include "connection.h"
#include "surface.h"
#include "toplevel.h"
#include "xdg.h"
#include <stdlib.h>
#include <wlr/types/wlr_xdg_decoration_v1.h>
#include <xdg-decoration-unstable-v1-client-protocol.h>

static void handle_configure(
	void *data, struct zxdg_toplevel_decoration_v1 *mirror, uint32_t mode) {
	struct decoration *decoration = data;
	if (mode == ZXDG_TOPLEVEL_DECORATION_V1_MODE_CLIENT_SIDE ||
		mode == ZXDG_TOPLEVEL_DECORATION_V1_MODE_SERVER_SIDE) {
		decoration->next = mode;
	}
}

static const struct zxdg_toplevel_decoration_v1_listener decoration_listener = {
	.configure = handle_configure,
};

void decoration_configure(struct decoration *decoration) {
	if (decoration->next != 0) {
		wlr_xdg_toplevel_decoration_v1_set_mode(decoration->wlr, decoration->next);
		decoration->next = 0;
	}
}

static void send_mode(struct decoration *decoration) {
	uint32_t mode = decoration->wlr->requested_mode;
	if (mode == WLR_XDG_TOPLEVEL_DECORATION_V1_MODE_NONE) {
		zxdg_toplevel_decoration_v1_unset_mode(decoration->mirror);
	} else {
		zxdg_toplevel_decoration_v1_set_mode(decoration->mirror, mode);
	}
}

void decoration_realize(struct decoration *decoration) {
	struct toplevel *toplevel = decoration->toplevel;
	struct connection *connection = toplevel->xdg->surface->app->connection;

	if (decoration->mirror != NULL || connection->decoration == NULL) {
		return;
	}
	decoration->mirror = zxdg_decoration_manager_v1_get_toplevel_decoration(
		connection->decoration, toplevel->mirror);
	zxdg_toplevel_decoration_v1_add_listener(
		decoration->mirror, &decoration_listener, decoration);
	if (decoration->wlr->requested_mode != WLR_XDG_TOPLEVEL_DECORATION_V1_MODE_NONE) {
		send_mode(decoration);
	}
}

void decoration_unrealize(struct decoration *decoration) {
	if (decoration->mirror != NULL) {
		zxdg_toplevel_decoration_v1_destroy(decoration->mirror);
		decoration->mirror = NULL;
	}
}

void decoration_orphan(struct decoration *decoration) {
	decoration_unrealize(decoration);
	decoration->toplevel->decoration = NULL;
	decoration->toplevel = NULL;
}

static void handle_request_mode(struct wl_listener *listener, void *data) {
	struct decoration *decoration = wl_container_of(listener, decoration, request_mode);
	if (decoration->mirror != NULL) {
		send_mode(decoration);
	}
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct decoration *decoration = wl_container_of(listener, decoration, destroy);

	if (decoration->toplevel != NULL) {
		decoration_orphan(decoration);
	}
	wl_list_remove(&decoration->request_mode.link);
	wl_list_remove(&decoration->destroy.link);
	free(decoration);
}

void decoration_create(struct wlr_xdg_toplevel_decoration_v1 *wlr) {
	struct xdg *xdg = wlr->toplevel->base->data;
	struct decoration *decoration = calloc(1, sizeof(*decoration));

	if (decoration == NULL || xdg == NULL || xdg->toplevel == NULL) {
		free(decoration);
		wl_resource_post_no_memory(wlr->resource);
		return;
	}
	decoration->wlr = wlr;
	decoration->toplevel = xdg->toplevel;
	decoration->toplevel->decoration = decoration;
	decoration->request_mode.notify = handle_request_mode;
	wl_signal_add(&wlr->events.request_mode, &decoration->request_mode);
	decoration->destroy.notify = handle_destroy;
	wl_signal_add(&wlr->events.destroy, &decoration->destroy);
	// Toolkits may ask after the initial commit.
	if (decoration->toplevel->mirror != NULL) {
		decoration_realize(decoration);
	}
}
