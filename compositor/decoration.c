#include "decoration.h"

#include <stdlib.h>
#include <wlr/types/wlr_server_decoration.h>
#include <wlr/types/wlr_xdg_decoration_v1.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "server.h"
#include "toplevel.h"

/* An xdg_toplevel_decoration: lives at most as long as its window. */
struct decoration {
	struct wlr_xdg_toplevel_decoration_v1 *xdg;
	struct wl_listener request_mode;
	struct wl_listener destroy;
};

struct kde_decoration {
	struct wlr_server_decoration *kde;
	struct wl_listener mode;
	struct wl_listener destroy;
};

static void set_draws_own_titlebar(struct toplevel *toplevel, bool own) {
	if (toplevel != NULL && toplevel->draws_own_titlebar != own) {
		toplevel->draws_own_titlebar = own;
		toplevel_refresh(toplevel);
	}
}

/* A program of this machine may draw its title bar; that of a guest stands below its label. */
static void choose_mode(struct wlr_xdg_toplevel_decoration_v1 *xdg) {
	struct toplevel *toplevel = xdg->toplevel->base->data;
	bool own = toplevel != NULL && toplevel->label.kind == LABEL_LOCAL &&
		   xdg->requested_mode == WLR_XDG_TOPLEVEL_DECORATION_V1_MODE_CLIENT_SIDE;
	set_draws_own_titlebar(toplevel, own);
	if (xdg->toplevel->base->initialized) {
		wlr_xdg_toplevel_decoration_v1_set_mode(
			xdg, own ? WLR_XDG_TOPLEVEL_DECORATION_V1_MODE_CLIENT_SIDE
				 : WLR_XDG_TOPLEVEL_DECORATION_V1_MODE_SERVER_SIDE);
	}
}

static void handle_request_mode(struct wl_listener *listener, void *data) {
	struct decoration *decoration = wl_container_of(listener, decoration, request_mode);
	choose_mode(decoration->xdg);
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct decoration *decoration = wl_container_of(listener, decoration, destroy);
	wl_list_remove(&decoration->request_mode.link);
	wl_list_remove(&decoration->destroy.link);
	free(decoration);
}

static void handle_new_decoration(struct wl_listener *listener, void *data) {
	struct wlr_xdg_toplevel_decoration_v1 *xdg = data;
	struct decoration *decoration = calloc(1, sizeof(*decoration));
	if (decoration == NULL) {
		wl_resource_post_no_memory(xdg->resource);
		return;
	}
	decoration->xdg = xdg;
	decoration->request_mode.notify = handle_request_mode;
	wl_signal_add(&xdg->events.request_mode, &decoration->request_mode);
	decoration->destroy.notify = handle_destroy;
	wl_signal_add(&xdg->events.destroy, &decoration->destroy);
	choose_mode(xdg);
}

/* A client that speaks KDE's protocol says which of both it does; GTK does with a header bar. */
static void follow_kde(struct wlr_server_decoration *kde) {
	struct wlr_xdg_toplevel *xdg = wlr_xdg_toplevel_try_from_wlr_surface(kde->surface);
	set_draws_own_titlebar(xdg != NULL ? xdg->base->data : NULL,
		kde->mode != WLR_SERVER_DECORATION_MANAGER_MODE_SERVER);
}

static void handle_kde_mode(struct wl_listener *listener, void *data) {
	struct kde_decoration *decoration = wl_container_of(listener, decoration, mode);
	follow_kde(decoration->kde);
}

static void handle_kde_destroy(struct wl_listener *listener, void *data) {
	struct kde_decoration *decoration = wl_container_of(listener, decoration, destroy);
	wl_list_remove(&decoration->mode.link);
	wl_list_remove(&decoration->destroy.link);
	free(decoration);
}

static void handle_new_kde_decoration(struct wl_listener *listener, void *data) {
	struct wlr_server_decoration *kde = data;
	struct kde_decoration *decoration = calloc(1, sizeof(*decoration));
	if (decoration == NULL) {
		wl_resource_post_no_memory(kde->resource);
		return;
	}
	decoration->kde = kde;
	decoration->mode.notify = handle_kde_mode;
	wl_signal_add(&kde->events.mode, &decoration->mode);
	decoration->destroy.notify = handle_kde_destroy;
	wl_signal_add(&kde->events.destroy, &decoration->destroy);
	follow_kde(kde);
}

void decoration_configure(struct toplevel *toplevel) {
	struct server *server = toplevel->server;
	toplevel->draws_own_titlebar = true;
	struct wlr_server_decoration *kde;
	wl_list_for_each (kde, &server->globals.kde_decoration->decorations, link) {
		if (kde->surface == toplevel->xdg->base->surface) {
			follow_kde(kde);
		}
	}
	struct wlr_xdg_toplevel_decoration_v1 *xdg;
	wl_list_for_each (xdg, &server->globals.xdg_decoration->decorations, link) {
		if (xdg->toplevel == toplevel->xdg) {
			choose_mode(xdg);
		}
	}
}

void decoration_init(struct server *server) {
	server->new_decoration.notify = handle_new_decoration;
	wl_signal_add(&server->globals.xdg_decoration->events.new_toplevel_decoration,
		&server->new_decoration);
	server->new_kde_decoration.notify = handle_new_kde_decoration;
	wl_signal_add(&server->globals.kde_decoration->events.new_decoration,
		&server->new_kde_decoration);
}

void decoration_finish(struct server *server) {
	wl_list_remove(&server->new_decoration.link);
	wl_list_remove(&server->new_kde_decoration.link);
}
