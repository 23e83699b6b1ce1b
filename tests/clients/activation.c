/* activation [hover]: a window that asks for a token with the serial of a press on it (hover: of
 * the pointer's coming), and prints "token TOKEN". activated TOKEN [late|early]: a window that uses
 * one before (late: after) it is shown; early: before the initial commit, as foot does. The token
 * is XDG_ACTIVATION_TOKEN where "-" stands for it. */
#include <stdlib.h>
#include <string.h>

#include "feature.h"
#include "seatlog.h"
#include "window.h"
#include "xdg-activation-v1-client-protocol.h"

static void handle_global(
	struct client *client, uint32_t name, const char *interface, uint32_t version) {
	struct xdg_activation_v1 **activation = client->data;
	if (strcmp(interface, xdg_activation_v1_interface.name) == 0) {
		*activation =
			wl_registry_bind(client->registry, name, &xdg_activation_v1_interface, 1);
	}
}

static struct xdg_activation_v1 *bind_activation(struct client *client) {
	struct xdg_activation_v1 *activation = NULL;
	client->data = &activation;
	client->global = handle_global;
	client_restart_registry(client);
	client_roundtrip(client);
	client->global = NULL;
	if (activation == NULL) {
		client_fail("no xdg_activation_v1");
	}
	return activation;
}

static void handle_done(
	void *data, struct xdg_activation_token_v1 *token, const char *untrusted_text) {
	bool *done = data;
	client_log("token %s", untrusted_text);
	*done = true;
}

static const struct xdg_activation_token_v1_listener token_listener = {.done = handle_done};

static void ask(struct client *client, struct xdg_activation_v1 *activation, struct window *window,
	uint32_t serial) {
	bool done = false;
	struct xdg_activation_token_v1 *token = xdg_activation_v1_get_activation_token(activation);
	xdg_activation_token_v1_add_listener(token, &token_listener, &done);
	xdg_activation_token_v1_set_serial(token, serial, client->seat);
	xdg_activation_token_v1_set_surface(token, window->surface);
	xdg_activation_token_v1_commit(token);
	client_wait(client, &done);
	xdg_activation_token_v1_destroy(token);
}

void feature_activation(struct client *client, int argc, char **argv) {
	struct xdg_activation_v1 *activation = bind_activation(client);
	struct window *window = window_create(client, "activation", 300, 200);
	window_draw(window, 300, 200, 7);
	struct seatlog log;
	seatlog_init(&log, client, true);
	bool hover = argc > 0;
	if (client_show_stage(client, "window")) {
		client_wait(client, hover ? &log.entered : &log.pressed);
		ask(client, activation, window, hover ? log.enter_serial : log.button_serial);
		client_stage(client, "asked");
	}
	seatlog_finish(&log);
	window_destroy(window);
	xdg_activation_v1_destroy(activation);
}

void feature_activated(struct client *client, int argc, char **argv) {
	if (argc < 1) {
		client_fail("no token");
	}
	const char *token = strcmp(argv[0], "-") == 0 ? getenv("XDG_ACTIVATION_TOKEN") : argv[0];
	if (token == NULL) {
		client_fail("no XDG_ACTIVATION_TOKEN");
	}
	bool late = argc > 1 && strcmp(argv[1], "late") == 0;
	bool early = argc > 1 && strcmp(argv[1], "early") == 0;
	struct xdg_activation_v1 *activation = bind_activation(client);
	struct window *window = window_begin(client, "activated", 200, 150);
	if (early) {
		xdg_activation_v1_activate(activation, token, window->surface);
	}
	wl_surface_commit(window->surface);
	client_wait(client, &window->configured);
	if (!late && !early) {
		xdg_activation_v1_activate(activation, token, window->surface);
	}
	window_draw(window, 200, 150, 8);
	bool going = client_show_stage(client, "window");
	if (going && late) {
		xdg_activation_v1_activate(activation, token, window->surface);
		client_roundtrip(client);
		client_stage(client, "activated");
	}
	window_destroy(window);
	xdg_activation_v1_destroy(activation);
}
