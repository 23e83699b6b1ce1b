#include <stdlib.h>

#include "popup.h"
#include "seatlog.h"

static void popup_handle_configure(void *data, struct xdg_popup *xdg_popup, int32_t x, int32_t y,
	int32_t width, int32_t height) {
	struct popup *popup = data;
	popup->x = x;
	popup->y = y;
	popup->width = width;
	popup->height = height;
}

static void popup_handle_done(void *data, struct xdg_popup *xdg_popup) {
	struct popup *popup = data;
	popup->done = true;
	client_log("popup %s done", popup->name);
}

static void popup_handle_repositioned(void *data, struct xdg_popup *xdg_popup, uint32_t token) {
	struct popup *popup = data;
	popup->repositioned = true;
	popup->token = token;
}

static const struct xdg_popup_listener popup_listener = {
	.configure = popup_handle_configure,
	.popup_done = popup_handle_done,
	.repositioned = popup_handle_repositioned,
};

static void xdg_surface_handle_configure(
	void *data, struct xdg_surface *xdg_surface, uint32_t serial) {
	struct popup *popup = data;
	popup->serial = serial;
	popup->configured = true;
}

static const struct xdg_surface_listener xdg_surface_listener = {
	.configure = xdg_surface_handle_configure,
};

struct xdg_positioner *popup_positioner(struct client *client, const struct place *place) {
	struct xdg_positioner *positioner = xdg_wm_base_create_positioner(client->wm_base);
	xdg_positioner_set_size(positioner, place->width, place->height);
	xdg_positioner_set_anchor_rect(positioner, place->anchor_x, place->anchor_y,
		place->anchor_width, place->anchor_height);
	xdg_positioner_set_anchor(positioner, place->anchor);
	xdg_positioner_set_gravity(positioner, place->gravity);
	xdg_positioner_set_constraint_adjustment(positioner, place->adjustment);
	xdg_positioner_set_offset(positioner, place->offset_x, place->offset_y);
	if (place->reactive && xdg_positioner_get_version(positioner) >= 3) {
		xdg_positioner_set_reactive(positioner);
	}
	return positioner;
}

static void print_configure(struct popup *popup) {
	client_log("popup %s at %d,%d %dx%d", popup->name, popup->x, popup->y, popup->width,
		popup->height);
}

static struct popup *begin(
	struct client *client, struct xdg_surface *parent, const struct place *place) {
	struct popup *popup = calloc(1, sizeof(*popup));
	if (popup == NULL) {
		client_fail("out of memory");
	}
	popup->client = client;
	popup->name = place->name;
	popup->surface = wl_compositor_create_surface(client->compositor);
	seatlog_name(popup->surface, popup->name);
	popup->xdg_surface = xdg_wm_base_get_xdg_surface(client->wm_base, popup->surface);
	xdg_surface_add_listener(popup->xdg_surface, &xdg_surface_listener, popup);
	struct xdg_positioner *positioner = popup_positioner(client, place);
	popup->xdg_popup = xdg_surface_get_popup(popup->xdg_surface, parent, positioner);
	xdg_positioner_destroy(positioner);
	xdg_popup_add_listener(popup->xdg_popup, &popup_listener, popup);
	return popup;
}

static void await_configure(struct popup *popup) {
	wl_surface_commit(popup->surface);
	while (!popup->configured && !popup->done) {
		client_dispatch(popup->client);
	}
	if (popup->configured) {
		print_configure(popup);
	}
}

struct popup *popup_create(struct client *client, struct xdg_surface *parent,
	const struct place *place, uint32_t grab_serial) {
	struct popup *popup = begin(client, parent, place);
	if (grab_serial != 0) {
		xdg_popup_grab(popup->xdg_popup, client->seat, grab_serial);
	}
	await_configure(popup);
	return popup;
}

struct popup *popup_create_for_layer(
	struct client *client, struct zwlr_layer_surface_v1 *parent, const struct place *place) {
	struct popup *popup = begin(client, NULL, place);
	zwlr_layer_surface_v1_get_popup(parent, popup->xdg_popup);
	await_configure(popup);
	return popup;
}

void popup_destroy(struct popup *popup) {
	if (popup == NULL) {
		return;
	}
	xdg_popup_destroy(popup->xdg_popup);
	xdg_surface_destroy(popup->xdg_surface);
	wl_surface_destroy(popup->surface);
	buffer_destroy(popup->buffer);
	free(popup);
}

void popup_draw(struct popup *popup, uint32_t seed) {
	struct buffer *buffer = buffer_create_argb(popup->client, popup->width, popup->height);
	buffer_pattern(buffer, seed);
	xdg_surface_ack_configure(popup->xdg_surface, popup->serial);
	buffer_attach(buffer, popup->surface);
	wl_surface_damage_buffer(popup->surface, 0, 0, buffer->width, buffer->height);
	client_expect_frame(popup->client, popup->surface);
	wl_surface_commit(popup->surface);
	buffer_destroy(popup->buffer);
	popup->buffer = buffer;
}

void popup_reposition(struct popup *popup, const struct place *place, uint32_t token) {
	struct xdg_positioner *positioner = popup_positioner(popup->client, place);
	popup->configured = popup->repositioned = false;
	xdg_popup_reposition(popup->xdg_popup, positioner, token);
	xdg_positioner_destroy(positioner);
	while (!(popup->repositioned && popup->configured)) {
		client_dispatch(popup->client);
	}
	client_log("popup %s repositioned %u", popup->name, popup->token);
	print_configure(popup);
}
