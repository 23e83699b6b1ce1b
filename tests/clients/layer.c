/* layer none|exclusive|on-demand: a bar of 200x40 in the bottom right corner of an output, with
 * that claim on the keyboard; then a menu of it, and a submenu of that, which both want to leave
 * the screen. Prints "closed" and ends when the compositor closes it. */
#include <string.h>

#include "feature.h"
#include "popup.h"
#include "seatlog.h"

#define WIDTH 200
#define HEIGHT 40
#define SLIDE                                                                                      \
	(XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_SLIDE_X |                                            \
		XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_SLIDE_Y)

static const struct place menu = {"menu", 0, 0, WIDTH, HEIGHT, XDG_POSITIONER_ANCHOR_BOTTOM_RIGHT,
	XDG_POSITIONER_GRAVITY_BOTTOM_RIGHT, SLIDE, 0, 0, 120, 90, false};
static const struct place submenu = {"submenu", 0, 0, 120, 90, XDG_POSITIONER_ANCHOR_BOTTOM_RIGHT,
	XDG_POSITIONER_GRAVITY_BOTTOM_RIGHT, SLIDE, 0, 0, 80, 60, false};

struct bar {
	struct zwlr_layer_shell_v1 *shell;
	bool configured, closed;
};

static void handle_global(
	struct client *client, uint32_t name, const char *interface, uint32_t version) {
	struct bar *bar = client->data;
	if (strcmp(interface, zwlr_layer_shell_v1_interface.name) == 0) {
		bar->shell =
			wl_registry_bind(client->registry, name, &zwlr_layer_shell_v1_interface, 4);
	}
}

static void handle_configure(void *data, struct zwlr_layer_surface_v1 *surface, uint32_t serial,
	uint32_t width, uint32_t height) {
	struct bar *bar = data;
	zwlr_layer_surface_v1_ack_configure(surface, serial);
	bar->configured = true;
}

static void handle_closed(void *data, struct zwlr_layer_surface_v1 *surface) {
	struct bar *bar = data;
	bar->closed = true;
	client_log("closed");
}

static const struct zwlr_layer_surface_v1_listener listener = {
	.configure = handle_configure,
	.closed = handle_closed,
};

static uint32_t interactivity(const char *word) {
	return strcmp(word, "exclusive") == 0
		       ? ZWLR_LAYER_SURFACE_V1_KEYBOARD_INTERACTIVITY_EXCLUSIVE
	       : strcmp(word, "on-demand") == 0
		       ? ZWLR_LAYER_SURFACE_V1_KEYBOARD_INTERACTIVITY_ON_DEMAND
		       : ZWLR_LAYER_SURFACE_V1_KEYBOARD_INTERACTIVITY_NONE;
}

static void show_menus(struct client *client, struct zwlr_layer_surface_v1 *layer) {
	struct popup *a = popup_create_for_layer(client, layer, &menu);
	popup_draw(a, 1);
	client_wait_presented(client);
	struct popup *b = popup_create(client, a->xdg_surface, &submenu, 0);
	popup_draw(b, 2);
	client_show_stage(client, "menus");
	popup_destroy(b);
	popup_destroy(a);
}

void feature_layer(struct client *client, int argc, char **argv) {
	struct bar bar = {0};
	client->data = &bar;
	client->global = handle_global;
	client_restart_registry(client);
	client_roundtrip(client);
	if (argc < 1 || bar.shell == NULL) {
		client_fail("no zwlr_layer_shell_v1, or not told what of the keyboard");
	}
	struct wl_surface *surface = wl_compositor_create_surface(client->compositor);
	seatlog_name(surface, "bar");
	struct seatlog log;
	seatlog_init(&log, client, false);
	struct zwlr_layer_surface_v1 *layer = zwlr_layer_shell_v1_get_layer_surface(
		bar.shell, surface, NULL, ZWLR_LAYER_SHELL_V1_LAYER_TOP, "test");
	zwlr_layer_surface_v1_add_listener(layer, &listener, &bar);
	zwlr_layer_surface_v1_set_size(layer, WIDTH, HEIGHT);
	zwlr_layer_surface_v1_set_anchor(
		layer, ZWLR_LAYER_SURFACE_V1_ANCHOR_BOTTOM | ZWLR_LAYER_SURFACE_V1_ANCHOR_RIGHT);
	zwlr_layer_surface_v1_set_keyboard_interactivity(layer, interactivity(argv[0]));
	wl_surface_commit(surface);
	while (!bar.configured && !bar.closed) {
		client_dispatch(client);
	}
	struct buffer *buffer = NULL;
	if (!bar.closed) {
		buffer = buffer_create_argb(client, WIDTH, HEIGHT);
		buffer_pattern(buffer, 21);
		buffer_attach(buffer, surface);
		wl_surface_damage_buffer(surface, 0, 0, WIDTH, HEIGHT);
		client_expect_frame(client, surface);
		wl_surface_commit(surface);
		if (client_show_stage(client, "bar") && !bar.closed) {
			show_menus(client, layer);
		}
	}
	seatlog_finish(&log);
	zwlr_layer_surface_v1_destroy(layer);
	wl_surface_destroy(surface);
	buffer_destroy(buffer);
	zwlr_layer_shell_v1_destroy(bar.shell);
}
