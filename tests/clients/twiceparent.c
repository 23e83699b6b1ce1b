/* twiceparent: a menu of a window that is handed to a bar as well, which only a menu without a
 * parent may be. */
#include <string.h>

#include "feature.h"
#include "popup.h"

static const struct place place = {"menu", 10, 10, 20, 20, XDG_POSITIONER_ANCHOR_BOTTOM,
	XDG_POSITIONER_GRAVITY_BOTTOM, 0, 0, 0, 60, 40, false};

static void handle_global(
	struct client *client, uint32_t name, const char *interface, uint32_t version) {
	struct zwlr_layer_shell_v1 **shell = client->data;
	if (strcmp(interface, zwlr_layer_shell_v1_interface.name) == 0) {
		*shell =
			wl_registry_bind(client->registry, name, &zwlr_layer_shell_v1_interface, 1);
	}
}

void feature_twiceparent(struct client *client, int argc, char **argv) {
	struct zwlr_layer_shell_v1 *shell = NULL;
	client->data = &shell;
	client->global = handle_global;
	client_restart_registry(client);
	client_roundtrip(client);
	if (shell == NULL) {
		client_fail("no zwlr_layer_shell_v1");
	}
	struct window *window = window_create(client, "twiceparent", 300, 200);
	window_draw(window, 300, 200, 5);
	struct popup *menu = popup_create(client, window->xdg_surface, &place, 0);
	popup_draw(menu, 1);
	struct wl_surface *surface = wl_compositor_create_surface(client->compositor);
	struct zwlr_layer_surface_v1 *layer = zwlr_layer_shell_v1_get_layer_surface(
		shell, surface, NULL, ZWLR_LAYER_SHELL_V1_LAYER_TOP, "test");
	client_show_stage(client, "menu");
	if (argc > 0) {
		wl_surface_attach(window->surface, NULL, 0, 0);
		wl_surface_commit(window->surface);
		client_roundtrip(client);
	}
	zwlr_layer_surface_v1_get_popup(layer, menu->xdg_popup);
	client_roundtrip(client);
	client_fail("still there");
}
