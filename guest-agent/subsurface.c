#include "subsurface.h"
#include "agent.h"
#include "app.h"
#include "connection.h"
#include "surface.h"
#include <stdlib.h>
#include <wayland-client-protocol.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_subcompositor.h>

bool subsurface_is_synchronized(const struct subsurface *subsurface) {
	const struct wlr_subsurface *wlr = subsurface->wlr;
	for (; wlr != NULL; wlr = wlr_subsurface_try_from_wlr_surface(wlr->parent)) {
		if (wlr->synchronized) {
			return true;
		}
	}
	return false;
}

static void send_mode(struct subsurface *subsurface) {
	if (subsurface->mirror == NULL ||
		subsurface->synchronized == subsurface->wlr->synchronized) {
		return;
	}
	subsurface->synchronized = subsurface->wlr->synchronized;
	if (subsurface->synchronized) {
		wl_subsurface_set_sync(subsurface->mirror);
	} else {
		wl_subsurface_set_desync(subsurface->mirror);
	}
}

static void subsurface_realize(struct subsurface *subsurface) {
	struct connection *connection = surface_connection(subsurface->parent);

	// An application can have met another controller, which had subsurfaces.
	if (subsurface->mirror != NULL || connection == NULL || connection->subcompositor == NULL) {
		return;
	}
	surface_realize(subsurface->parent);
	surface_realize(subsurface->surface);
	subsurface->mirror = wl_subcompositor_get_subsurface(
		connection->subcompositor, subsurface->surface->mirror, subsurface->parent->mirror);
	subsurface->x = subsurface->y = 0;
	subsurface->synchronized = true;
	subsurface->below = NULL;
	send_mode(subsurface);
	surface_mark(subsurface->parent); // which applies place and order
}

void subsurface_realize_all(struct surface *parent) {
	struct subsurface *subsurface;
	wl_list_for_each (subsurface, &parent->subsurfaces, link) {
		subsurface_realize(subsurface);
	}
}

void subsurface_unrealize(struct subsurface *subsurface) {
	if (subsurface->mirror != NULL) {
		wl_subsurface_destroy(subsurface->mirror);
		subsurface->mirror = NULL;
	}
}

static struct subsurface *from_wlr(struct wlr_subsurface *wlr) {
	return surface_from_wlr(wlr->surface)->subsurface;
}

/*
 * Calls `visit` for each subsurface from the bottom to the top with the surface it stands on; those
 * below the parent are visited from the parent downwards, and "stand" under the one before.
 */
static bool visit_order(struct surface *parent,
	bool (*visit)(struct subsurface *subsurface, struct surface *neighbour, bool above)) {
	struct surface *neighbour = parent;
	struct wlr_subsurface *wlr;

	wl_list_for_each (wlr, &parent->wlr->current.subsurfaces_above, current.link) {
		struct subsurface *subsurface = from_wlr(wlr);
		if (subsurface != NULL && subsurface->mirror != NULL) {
			if (visit(subsurface, neighbour, true)) {
				return true;
			}
			neighbour = subsurface->surface;
		}
	}
	neighbour = parent;
	wl_list_for_each_reverse (wlr, &parent->wlr->current.subsurfaces_below, current.link) {
		struct subsurface *subsurface = from_wlr(wlr);
		if (subsurface != NULL && subsurface->mirror != NULL) {
			if (visit(subsurface, neighbour, false)) {
				return true;
			}
			neighbour = subsurface->surface;
		}
	}
	return false;
}

static bool is_changed(struct subsurface *subsurface, struct surface *neighbour, bool above) {
	return subsurface->x != subsurface->wlr->current.x ||
	       subsurface->y != subsurface->wlr->current.y ||
	       subsurface->below != neighbour->mirror || subsurface->above != above;
}

bool subsurface_changed(struct surface *parent) {
	return visit_order(parent, is_changed);
}

static bool send_place(struct subsurface *subsurface, struct surface *neighbour, bool above) {
	if (subsurface->x != subsurface->wlr->current.x ||
		subsurface->y != subsurface->wlr->current.y) {
		subsurface->x = subsurface->wlr->current.x;
		subsurface->y = subsurface->wlr->current.y;
		wl_subsurface_set_position(subsurface->mirror, subsurface->x, subsurface->y);
	}
	if (above) {
		wl_subsurface_place_above(subsurface->mirror, neighbour->mirror);
	} else {
		wl_subsurface_place_below(subsurface->mirror, neighbour->mirror);
	}
	subsurface->below = neighbour->mirror;
	subsurface->above = above;
	return false;
}

void subsurface_send_all(struct surface *parent) {
	subsurface_realize_all(parent);
	// Placing one moves its neighbours too, so that one change sends the whole order.
	if (subsurface_changed(parent)) {
		visit_order(parent, send_place);
	}
}

void subsurface_send_modes(struct surface *surface) {
	struct subsurface *subsurface = surface->subsurface;

	while (subsurface != NULL) {
		send_mode(subsurface);
		subsurface = subsurface->parent != NULL ? subsurface->parent->subsurface : NULL;
	}
}

void subsurface_orphan(struct subsurface *subsurface) {
	subsurface_unrealize(subsurface);
	wl_list_remove(&subsurface->link);
	wl_list_init(&subsurface->link);
	subsurface->parent = NULL;
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct subsurface *subsurface = wl_container_of(listener, subsurface, destroy);

	if (subsurface->parent != NULL) {
		agent_heap_freed(subsurface->parent->app->agent); // a frame may have waited for it
	}
	subsurface_unrealize(subsurface);
	subsurface->surface->subsurface = NULL;
	wl_list_remove(&subsurface->destroy.link);
	wl_list_remove(&subsurface->link);
	free(subsurface);
}

void subsurface_create(struct surface *parent, struct wlr_subsurface *wlr) {
	struct subsurface *subsurface = calloc(1, sizeof(*subsurface));
	if (subsurface == NULL) {
		wl_client_post_no_memory(parent->app->client);
		return;
	}
	subsurface->surface = surface_from_wlr(wlr->surface);
	subsurface->parent = parent;
	subsurface->wlr = wlr;
	subsurface->surface->subsurface = subsurface;
	subsurface->destroy.notify = handle_destroy;
	wl_signal_add(&wlr->events.destroy, &subsurface->destroy);
	wl_list_insert(parent->subsurfaces.prev, &subsurface->link);
	surface_mark(parent);
}
