/* grabtwice: a popup that is grabbed twice before it is shown, and then goes away. */
#include "feature.h"
#include "popup.h"

static const struct place place = {"twice", 10, 10, 20, 20, XDG_POSITIONER_ANCHOR_BOTTOM,
	XDG_POSITIONER_GRAVITY_BOTTOM, 0, 0, 0, 60, 40, false};

void feature_grabtwice(struct client *client, int argc, char **argv) {
	struct wl_seat *seat =
		wl_registry_bind(client->registry, client->seat_global, &wl_seat_interface, 1);
	struct window *window = window_create(client, "grabtwice", 300, 200);
	window_draw(window, 300, 200, 5);
	for (int i = 0; i < 3; i++) {
		struct wl_surface *surface = wl_compositor_create_surface(client->compositor);
		struct xdg_surface *xdg_surface =
			xdg_wm_base_get_xdg_surface(client->wm_base, surface);
		struct xdg_positioner *positioner = popup_positioner(client, &place);
		struct xdg_popup *popup =
			xdg_surface_get_popup(xdg_surface, window->xdg_surface, positioner);
		xdg_popup_grab(popup, seat, 1);
		xdg_popup_grab(popup, seat, 1);
		wl_surface_commit(surface);
		client_barrier(client, window->surface);
		xdg_popup_destroy(popup);
		xdg_surface_destroy(xdg_surface);
		wl_surface_destroy(surface);
		xdg_positioner_destroy(positioner);
		client_barrier(client, window->surface);
	}
	client_show_stage(client, "grabbed");
	wl_seat_destroy(seat);
	window_destroy(window);
}
