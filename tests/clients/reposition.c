/* reposition: a popup that is repositioned before its initial commit, which ends the client with a
 * protocol error where the compositor does not let it pass. */
#include "feature.h"
#include "popup.h"

static const struct place place = {"early", 10, 10, 20, 20, XDG_POSITIONER_ANCHOR_BOTTOM,
	XDG_POSITIONER_GRAVITY_BOTTOM, 0, 0, 0, 60, 40, false};

void feature_reposition(struct client *client, int argc, char **argv) {
	struct window *window = window_create(client, "reposition", 300, 200);
	window_draw(window, 300, 200, 5);
	if (client_show_stage(client, "window")) {
		struct wl_surface *surface = wl_compositor_create_surface(client->compositor);
		struct xdg_surface *xdg_surface =
			xdg_wm_base_get_xdg_surface(client->wm_base, surface);
		struct xdg_positioner *positioner = popup_positioner(client, &place);
		struct xdg_popup *popup =
			xdg_surface_get_popup(xdg_surface, window->xdg_surface, positioner);
		xdg_popup_reposition(popup, positioner, 1);
		client_roundtrip(client);
		client_stage(client, "repositioned");
		xdg_popup_destroy(popup);
		xdg_surface_destroy(xdg_surface);
		wl_surface_destroy(surface);
		xdg_positioner_destroy(positioner);
	}
	window_destroy(window);
}
