#include "decoration.h"
#include "app.h"
#include "connection.h"
#include "surface.h"
#include "toplevel.h"
#include "xdg.h"
#include <stdlib.h>
#include <wlr/types/wlr_server_decoration.h>
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
	// KDE's protocol has it the other way round: the application has what it asked for.
	if (decoration->wlr != NULL && decoration->next != 0) {
		wlr_xdg_toplevel_decoration_v1_set_mode(decoration->wlr, decoration->next);
		decoration->next = 0;
	}
}

/* What the application asked for; MODE_NONE for no preference. */
static uint32_t requested_mode(const struct decoration *decoration) {
	if (decoration->wlr != NULL) {
		return decoration->wlr->requested_mode;
	}
	return decoration->kde->mode == WLR_SERVER_DECORATION_MANAGER_MODE_SERVER
		       ? WLR_XDG_TOPLEVEL_DECORATION_V1_MODE_SERVER_SIDE
		       : WLR_XDG_TOPLEVEL_DECORATION_V1_MODE_CLIENT_SIDE;
}

static void send_mode(struct decoration *decoration) {
	uint32_t mode = requested_mode(decoration);
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
	if (requested_mode(decoration) != WLR_XDG_TOPLEVEL_DECORATION_V1_MODE_NONE) {
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

static void decoration_init(
	struct decoration *decoration, struct wl_signal *request_mode, struct wl_signal *destroy) {
	decoration->request_mode.notify = handle_request_mode;
	wl_signal_add(request_mode, &decoration->request_mode);
	decoration->destroy.notify = handle_destroy;
	wl_signal_add(destroy, &decoration->destroy);
}

void decoration_create(struct wlr_xdg_toplevel_decoration_v1 *wlr) {
	struct xdg *xdg = wlr->toplevel->base->data;
	struct decoration *decoration = calloc(1, sizeof(*decoration));

	if (decoration == NULL || xdg == NULL || xdg->toplevel == NULL) {
		free(decoration);
		wl_resource_post_no_memory(wlr->resource);
		return;
	}
	if (xdg->toplevel->decoration != NULL) { // one of KDE's, which says the same less well
		decoration_orphan(xdg->toplevel->decoration);
	}
	decoration->wlr = wlr;
	decoration->toplevel = xdg->toplevel;
	decoration->toplevel->decoration = decoration;
	decoration_init(decoration, &wlr->events.request_mode, &wlr->events.destroy);
	// Toolkits may ask after the initial commit.
	if (decoration->toplevel->mirror != NULL) {
		decoration_realize(decoration);
	}
}

static void adopt(struct decoration *decoration, struct toplevel *toplevel) {
	if (decoration->toplevel != NULL || toplevel->decoration != NULL) {
		return;
	}
	decoration->toplevel = toplevel;
	toplevel->decoration = decoration;
	// The controller takes no new decoration for a window that it shows.
	if (toplevel->mirror != NULL && !toplevel->xdg->surface->shown) {
		decoration_realize(decoration);
	}
}

void decoration_create_kde(struct wlr_server_decoration *kde) {
	struct surface *surface = surface_from_wlr(kde->surface);
	struct decoration *decoration = calloc(1, sizeof(*decoration));

	if (decoration == NULL) {
		wl_resource_post_no_memory(kde->resource);
		return;
	}
	decoration->kde = kde;
	kde->data = decoration;
	decoration_init(decoration, &kde->events.mode, &kde->events.destroy);
	if (surface != NULL && surface->xdg != NULL && surface->xdg->toplevel != NULL) {
		adopt(decoration, surface->xdg->toplevel);
	}
}

void decoration_adopt(struct toplevel *toplevel, struct wlr_server_decoration_manager *manager) {
	struct wlr_server_decoration *kde;
	if (manager == NULL) {
		return;
	}
	wl_list_for_each (kde, &manager->decorations, link) {
		if (kde->surface == toplevel->wlr->base->surface && kde->data != NULL) {
			adopt(kde->data, toplevel);
		}
	}
}
