/* menu: asks for the window menu at 30,40 when a finger or a button comes down.
 * minimize: asks to be minimised, and draws again when it has been brought back. */
#include "feature.h"
#include "seatlog.h"
#include "window.h"

void feature_menu(struct client *client, int argc, char **argv) {
	struct window *window = window_create(client, "menu", 240, 180);
	window_draw(window, 240, 180, 21);
	struct seatlog log;
	seatlog_init(&log, client, true);
	client_log("ready menu");
	client_wait(client, &log.pressed);
	xdg_toplevel_show_window_menu(window->toplevel, client->seat, log.button_serial, 30, 40);
	client_stage(client, "asked");
	seatlog_finish(&log);
	window_destroy(window);
}

void feature_minimize(struct client *client, int argc, char **argv) {
	/* Something visible while the window is not. */
	struct window *witness = window_create(client, "witness", 40, 30);
	window_draw(witness, 40, 30, 1);
	struct window *window = window_create(client, "minimize", 160, 120);
	window_draw(window, 160, 120, 22);
	if (!client_show_stage(client, "normal")) {
		goto out;
	}
	xdg_toplevel_set_minimized(window->toplevel);
	client_barrier(client, witness->surface);
	if (!client_stage(client, "minimised")) {
		goto out;
	}
	window_draw(window, 160, 120, 23);
	client_stage(client, "brought back");
out:
	window_destroy(window);
	window_destroy(witness);
}
