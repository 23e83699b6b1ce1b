#include "popup.h"
#include "app.h"
#include "connection.h"
#include "seat.h"
#include "surface.h"
#include "xdg.h"
#include <stdlib.h>
#include <wayland-client-protocol.h>
#include <wlr/types/wlr_xdg_shell.h>
#include <xdg-shell-client-protocol.h>

/* The mirror's events */

static void handle_configure(
	void *data, struct xdg_popup *mirror, int32_t x, int32_t y, int32_t width, int32_t height) {
	struct popup *popup = data;
	popup->next = (struct wlr_box){.x = x, .y = y, .width = width, .height = height};
}

static void handle_popup_done(void *data, struct xdg_popup *mirror) {
	struct popup *popup = data;
	wlr_xdg_popup_destroy(popup->wlr);
}

static void handle_repositioned(void *data, struct xdg_popup *mirror, uint32_t token) {
	struct popup *popup = data;
	popup->repositioned = true;
	popup->token = token;
}

static const struct xdg_popup_listener popup_listener = {
	.configure = handle_configure,
	.popup_done = handle_popup_done,
	.repositioned = handle_repositioned,
};

void popup_configure(struct popup *popup) {
	struct wlr_xdg_popup *wlr = popup->wlr;

	// wlroots asserts that a popup has a size
	if (popup->next.width > 0 && popup->next.height > 0) {
		wlr->scheduled.geometry = popup->next;
	}
	if (popup->repositioned) {
		wlr->scheduled.fields |= WLR_XDG_POPUP_CONFIGURE_REPOSITION_TOKEN;
		wlr->scheduled.reposition_token = popup->token;
		popup->repositioned = false;
	}
}

/* The mirror */

static struct xdg *popup_parent(const struct popup *popup) {
	struct wlr_surface *parent = popup->wlr->parent;
	struct surface *surface = parent != NULL ? surface_from_wlr(parent) : NULL;
	return surface != NULL ? surface->xdg : NULL;
}

bool popup_can_realize(struct popup *popup) {
	struct xdg *parent = popup_parent(popup);
	// Before its parent is somewhere, the controller cannot keep a popup on the screen.
	return parent != NULL && parent->mirror != NULL && parent->surface->shown;
}

static struct xdg_positioner *make_positioner(struct xdg_wm_base *wm_base, struct popup *popup) {
	const struct wlr_xdg_positioner_rules *rules = &popup->wlr->scheduled.rules;
	struct xdg_positioner *positioner = xdg_wm_base_create_positioner(wm_base);

	xdg_positioner_set_size(positioner, rules->size.width, rules->size.height);
	xdg_positioner_set_anchor_rect(positioner, rules->anchor_rect.x, rules->anchor_rect.y,
		rules->anchor_rect.width, rules->anchor_rect.height);
	xdg_positioner_set_anchor(positioner, rules->anchor);
	xdg_positioner_set_gravity(positioner, rules->gravity);
	xdg_positioner_set_constraint_adjustment(positioner, rules->constraint_adjustment);
	xdg_positioner_set_offset(positioner, rules->offset.x, rules->offset.y);

	if (xdg_positioner_get_version(positioner) < XDG_POSITIONER_SET_REACTIVE_SINCE_VERSION) {
		return positioner;
	}
	if (rules->reactive) {
		xdg_positioner_set_reactive(positioner);
	}
	if (rules->parent_size.width > 0 && rules->parent_size.height > 0) {
		xdg_positioner_set_parent_size(
			positioner, rules->parent_size.width, rules->parent_size.height);
	}
	if (rules->has_parent_configure_serial) {
		uint32_t serial = serial_map_find(
			&popup_parent(popup)->configures, rules->parent_configure_serial);
		if (serial != 0) {
			xdg_positioner_set_parent_configure(positioner, serial);
		}
	}
	return positioner;
}

static void send_grab(struct popup *popup) {
	struct connection *connection = popup->xdg->surface->app->connection;
	struct seat_link *link = seat_link_find(connection, popup->wlr->seat->data);
	uint32_t serial = serial_map_find(&connection->serials, popup->grab_serial);

	if (link != NULL && serial != 0) {
		xdg_popup_grab(popup->mirror, link->mirror, serial);
	}
}

void popup_realize(struct popup *popup) {
	struct xdg_wm_base *wm_base = popup->xdg->surface->app->connection->wm_base;
	struct xdg_positioner *positioner = make_positioner(wm_base, popup);

	popup->mirror =
		xdg_surface_get_popup(popup->xdg->mirror, popup_parent(popup)->mirror, positioner);
	xdg_popup_add_listener(popup->mirror, &popup_listener, popup);
	xdg_positioner_destroy(positioner);
	popup->next = (struct wlr_box){0};
	popup->repositioned = false;
	if (popup->wlr->seat != NULL) {
		send_grab(popup);
	}
}

void popup_unrealize(struct popup *popup) {
	if (popup->mirror != NULL) {
		xdg_popup_destroy(popup->mirror);
		popup->mirror = NULL;
	}
}

/* The application's requests */

void popup_prepare_reposition(struct wlr_xdg_popup *wlr) {
	struct xdg *xdg = wlr->base->data;
	if (xdg != NULL && xdg->popup != NULL && !wlr->base->initialized) {
		xdg->popup->early = true;
		wlr->base->initialized = true; // until handle_reposition()
	}
}

/* What wlroots scheduled by itself shall not be sent. */
static void drop_configure(struct popup *popup) {
	struct wlr_xdg_surface *base = popup->wlr->base;

	if (base->configure_idle != NULL) {
		wl_event_source_remove(base->configure_idle);
		base->configure_idle = NULL;
	}
	popup->wlr->scheduled.fields &= ~(uint32_t)WLR_XDG_POPUP_CONFIGURE_REPOSITION_TOKEN;
}

static void handle_reposition(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, reposition);

	if (popup->early) {
		// The initial commit will use the new rules.
		popup->early = false;
		popup->wlr->base->initialized = false;
		drop_configure(popup);
		return;
	}
	if (popup->mirror == NULL ||
		xdg_popup_get_version(popup->mirror) < XDG_POPUP_REPOSITION_SINCE_VERSION) {
		return; // wlroots' own answer will do
	}
	drop_configure(popup); // the controller answers

	struct xdg_wm_base *wm_base = popup->xdg->surface->app->connection->wm_base;
	struct xdg_positioner *positioner = make_positioner(wm_base, popup);
	xdg_popup_reposition(popup->mirror, positioner, popup->wlr->scheduled.reposition_token);
	xdg_positioner_destroy(positioner);
}

void popup_set_grab_serial(struct wlr_xdg_popup *wlr, uint32_t serial) {
	struct xdg *xdg = wlr->base->data;
	if (xdg != NULL && xdg->popup != NULL) {
		xdg->popup->grab_serial = serial;
	}
}

void popup_dismiss_grabs(struct app *app) {
	struct surface *surface, *tmp;
	wl_list_for_each_safe (surface, tmp, &app->surfaces, link) {
		struct popup *popup = surface->xdg != NULL ? surface->xdg->popup : NULL;
		if (popup != NULL && popup->wlr->seat != NULL) {
			wlr_xdg_popup_destroy(popup->wlr); // and those on top of it
		}
	}
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, destroy);

	xdg_unrealize(popup->xdg);
	surface_hide(popup->xdg->surface);
	popup->xdg->popup = NULL;
	wl_list_remove(&popup->reposition.link);
	wl_list_remove(&popup->destroy.link);
	free(popup);
}

void popup_create(struct wlr_xdg_popup *wlr) {
	struct popup *popup = calloc(1, sizeof(*popup));
	struct xdg *xdg = xdg_from_wlr(wlr->base);

	if (popup == NULL || xdg == NULL) {
		free(popup);
		wl_resource_post_no_memory(wlr->resource);
		return;
	}
	popup->xdg = xdg;
	popup->wlr = wlr;
	xdg->popup = popup;
	popup->reposition.notify = handle_reposition;
	wl_signal_add(&wlr->events.reposition, &popup->reposition);
	popup->destroy.notify = handle_destroy;
	wl_signal_add(&wlr->events.destroy, &popup->destroy);
}
