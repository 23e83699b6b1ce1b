#include "xdg.h"
#include "activation.h"
#include "agent.h"
#include "app.h"
#include "connection.h"
#include "popup.h"
#include "surface.h"
#include "toplevel.h"
#include <stdlib.h>
#include <string.h>
#include <wayland-client-protocol.h>
#include <wlr/types/wlr_xdg_shell.h>
#include <xdg-shell-client-protocol.h>

static void role_configure(struct xdg *xdg, bool again) {
	if (xdg->toplevel != NULL) {
		toplevel_configure(xdg->toplevel, again);
	} else if (xdg->popup != NULL) {
		popup_configure(xdg->popup);
	}
}

static void handle_configure(void *data, struct xdg_surface *mirror, uint32_t serial) {
	struct xdg *xdg = data;
	// A window that the application has already: only the mirror is new, and shows it at once.
	bool again = !xdg->configured && xdg->wlr->surface->mapped;

	xdg->configured = true;
	if (!xdg->wlr->initialized) {
		return; // unmapped while it was on its way
	}
	role_configure(xdg, again);
	uint32_t local = wlr_xdg_surface_schedule_configure(xdg->wlr);
	if (again) {
		xdg_surface_ack_configure(mirror, serial);
		xdg->acked = serial;
		surface_mark(xdg->surface);
		surface_update(xdg->surface);
	} else {
		serial_map_add(&xdg->configures, local - 1, local, serial);
	}
}

static const struct xdg_surface_listener xdg_surface_listener = {.configure = handle_configure};

void xdg_realize(struct xdg *xdg) {
	struct connection *connection = surface_connection(xdg->surface);

	if (connection == NULL || xdg->mirror != NULL || !xdg->wlr->initialized) {
		return;
	}
	if (xdg->popup != NULL && !popup_can_realize(xdg->popup)) {
		return;
	}
	surface_realize(xdg->surface);
	xdg->mirror = xdg_wm_base_get_xdg_surface(connection->wm_base, xdg->surface->mirror);
	xdg_surface_add_listener(xdg->mirror, &xdg_surface_listener, xdg);
	if (xdg->toplevel != NULL) {
		toplevel_realize(xdg->toplevel);
	} else if (xdg->popup != NULL) {
		popup_realize(xdg->popup);
	}
	activation_catch_up(xdg->surface);
	surface_mark(xdg->surface);
}

void xdg_unrealize(struct xdg *xdg) {
	if (xdg->mirror == NULL) {
		return;
	}
	if (xdg->toplevel != NULL) {
		toplevel_unrealize(xdg->toplevel);
	}
	if (xdg->popup != NULL) {
		popup_unrealize(xdg->popup);
	}
	xdg_surface_destroy(xdg->mirror);
	xdg->mirror = NULL;
	xdg->configured = false;
	xdg->acked = 0;
	memset(&xdg->configures, 0, sizeof(xdg->configures));
	xdg->geometry = (struct wlr_box){0};
	xdg->fixed = false;
}

bool xdg_can_show(const struct xdg *xdg) {
	return xdg->mirror != NULL && xdg->configured;
}

/* Empty: it is what its surfaces cover. */
static const struct wlr_box *geometry_of(const struct xdg *xdg) {
	const struct wlr_box *explicit = &xdg->wlr->current.geometry;
	return wlr_box_empty(explicit) && xdg->fixed ? &xdg->wlr->geometry : explicit;
}

void xdg_fix_geometry(struct xdg *xdg) {
	if (!xdg->fixed) {
		xdg->fixed = true;
		surface_mark(xdg->surface);
	}
}

void xdg_commit(struct xdg *xdg) {
	struct wlr_xdg_surface *wlr = xdg->wlr;

	xdg_realize(xdg);
	if (wlr->current.configure_serial != xdg->local_serial ||
		!wlr_box_equal(geometry_of(xdg), &xdg->geometry) ||
		(xdg->toplevel != NULL && toplevel_changed(xdg->toplevel))) {
		xdg->local_serial = wlr->current.configure_serial;
		surface_mark(xdg->surface);
	}
}

void xdg_committed(struct xdg *xdg) {
	// A null buffer makes the role start over, with another initial commit.
	if (!xdg->wlr->initialized && xdg->mirror != NULL) {
		xdg_unrealize(xdg);
		surface_hide(xdg->surface);
	}
}

void xdg_send(struct xdg *xdg) {
	if (xdg->mirror == NULL) {
		return;
	}
	const struct wlr_box *geometry = geometry_of(xdg);
	uint32_t serial = serial_map_find(&xdg->configures, xdg->wlr->current.configure_serial);
	if (serial != 0 && serial != xdg->acked) {
		xdg_surface_ack_configure(xdg->mirror, serial);
		xdg->acked = serial;
	}
	if (!wlr_box_empty(geometry) && !wlr_box_equal(geometry, &xdg->geometry)) {
		xdg_surface_set_window_geometry(
			xdg->mirror, geometry->x, geometry->y, geometry->width, geometry->height);
	}
	xdg->geometry = *geometry;
	if (xdg->toplevel != NULL) {
		toplevel_send(xdg->toplevel);
	}
}

void xdg_shown(struct xdg *xdg) {
	if (xdg->toplevel != NULL) {
		toplevel_shown(xdg->toplevel);
	}
	// Popups that came back before their parent.
	struct surface *surface;
	wl_list_for_each (surface, &xdg->surface->app->surfaces, link) {
		if (surface->xdg != NULL && surface->xdg->popup != NULL &&
			surface->xdg->mirror == NULL) {
			xdg_realize(surface->xdg);
			surface_update(surface);
		}
	}
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct xdg *xdg = wl_container_of(listener, xdg, destroy);

	xdg_unrealize(xdg);
	surface_hide(xdg->surface);
	xdg->surface->xdg = NULL;
	wl_list_remove(&xdg->destroy.link);
	free(xdg);
}

struct xdg *xdg_from_wlr(struct wlr_xdg_surface *wlr) {
	if (wlr->data != NULL) {
		return wlr->data;
	}
	struct xdg *xdg = calloc(1, sizeof(*xdg));
	if (xdg == NULL) {
		return NULL;
	}
	xdg->wlr = wlr;
	wlr->data = xdg;
	xdg->surface = surface_from_wlr(wlr->surface);
	xdg->surface->xdg = xdg;
	xdg->destroy.notify = handle_destroy;
	wl_signal_add(&wlr->events.destroy, &xdg->destroy);
	return xdg;
}
