#include "region.h"
#include "connection.h"
#include "surface.h"
#include <pixman.h>
#include <stdint.h>
#include <wayland-client-protocol.h>
#include <wlr/types/wlr_compositor.h>

// A region of more rectangles is simplified: bridges end an application for one of over 512.
#define REGION_RECTS_MAX 256

/* A side can be longer than an int32 says: compositors' sums wrap around as this one does. */
static void add_box(struct wl_region *region, const pixman_box32_t *box) {
	wl_region_add(region, box->x1, box->y1, (int32_t)((uint32_t)box->x2 - (uint32_t)box->x1),
		(int32_t)((uint32_t)box->y2 - (uint32_t)box->y1));
}

static struct wl_region *make_region(
	struct connection *connection, const pixman_region32_t *region) {
	struct wl_region *mirror = wl_compositor_create_region(connection->compositor);
	int count = 0;
	const pixman_box32_t *boxes = pixman_region32_rectangles(region, &count);
	for (int i = 0; i < count; i++) {
		add_box(mirror, &boxes[i]);
	}
	return mirror;
}

void region_send_opaque(struct surface *surface, struct connection *connection) {
	const pixman_region32_t *opaque = &surface->wlr->current.opaque;
	// That a part is opaque need not be said.
	if (!pixman_region32_not_empty(opaque) ||
		pixman_region32_n_rects(opaque) > REGION_RECTS_MAX) {
		wl_surface_set_opaque_region(surface->mirror, NULL);
		return;
	}
	struct wl_region *region = make_region(connection, opaque);
	wl_surface_set_opaque_region(surface->mirror, region);
	wl_region_destroy(region);
}

void region_send_input(struct surface *surface, struct connection *connection) {
	const pixman_region32_t *input = &surface->wlr->current.input;
	const pixman_box32_t *extents = pixman_region32_extents(input);
	struct wl_region *region = NULL;

	if (surface->drag != NULL) { // nothing is dropped on what is being dragged
		region = wl_compositor_create_region(connection->compositor);
	} else if (pixman_region32_n_rects(input) > REGION_RECTS_MAX) {
		region = wl_compositor_create_region(connection->compositor);
		add_box(region, extents);
	} else if (extents->x1 != INT32_MIN || extents->y1 != INT32_MIN) {
		region = make_region(connection, input);
	} // wlroots keeps "everything" as the largest rectangle there is
	wl_surface_set_input_region(surface->mirror, region);
	if (region != NULL) {
		wl_region_destroy(region);
	}
}
