/* resize [move|fullscreen|late]: a button press starts an interactive resize at the bottom right
 * corner (or a move, printed as "moved" once it has begun); the window follows every configure and
 * prints "size WxH" for those after the end of the resize. It asks to be fullscreen from its first
 * commit on, or ("late") maximised between that and its first picture. Where the size is left to
 * it, it keeps the one it has. */
#include <string.h>

#include "feature.h"
#include "seatlog.h"
#include "window.h"

struct dragger {
	struct client *client;
	struct window *window;
	struct seatlog seat;
	struct buffer *buffer;
	int width, height; // shown
	bool move, resizing, resized;
	bool asked; // for a move, which has not been announced as handled
};

static void start(struct seatlog *log, uint32_t button, bool pressed) {
	struct dragger *dragger = log->data;
	if (!pressed) {
		return;
	}
	if (dragger->move) {
		xdg_toplevel_move(
			dragger->window->toplevel, dragger->client->seat, log->button_serial);
		client_log("moving");
		dragger->asked = true;
	} else {
		xdg_toplevel_resize(dragger->window->toplevel, dragger->client->seat,
			log->button_serial, XDG_TOPLEVEL_RESIZE_EDGE_BOTTOM_RIGHT);
	}
}

/* Answers the newest configure with a frame of that size. */
static void follow(struct dragger *dragger) {
	struct window *window = dragger->window;
	bool resizing = (window->states & (1u << XDG_TOPLEVEL_STATE_RESIZING)) != 0;
	if (window->width > 0 && window->height > 0) {
		dragger->width = window->width;
		dragger->height = window->height;
	}
	struct buffer *buffer =
		buffer_create_argb(dragger->client, dragger->width, dragger->height);
	buffer_fill(buffer, 0xff305070);
	buffer_rect(buffer, 0, 0, 8, 8, 0xffc0ffee);
	buffer_rect(buffer, dragger->width - 8, dragger->height - 8, 8, 8, 0xffeeffc0);
	window_show(window, buffer);
	client_wait_presented(dragger->client);
	buffer_destroy(dragger->buffer);
	dragger->buffer = buffer;
	if (resizing && !dragger->resizing) {
		client_log("resizing");
	}
	if (!resizing && dragger->resized) {
		client_log("size %dx%d", dragger->width, dragger->height);
	}
	dragger->resizing = resizing;
	dragger->resized = dragger->resized || resizing;
}

/* Another configure can come while a frame is waited for; mapping brings one for the focus. */
static void follow_all(struct dragger *dragger) {
	while (dragger->window->serial != 0) {
		follow(dragger);
	}
}

static struct window *create(struct client *client, const char *how) {
	struct window *window = window_begin(client, "resize", 0, 0);
	if (strcmp(how, "fullscreen") == 0) {
		xdg_toplevel_set_fullscreen(window->toplevel, NULL);
	}
	wl_surface_commit(window->surface);
	client_wait(client, &window->configured);
	if (strcmp(how, "late") == 0) {
		xdg_toplevel_set_maximized(window->toplevel);
		window_await_configure(window);
	}
	return window;
}

void feature_resize(struct client *client, int argc, char **argv) {
	struct dragger dragger = {.client = client, .width = 200, .height = 150};
	const char *how = argc > 0 ? argv[0] : "";
	dragger.move = strcmp(how, "move") == 0;
	dragger.window = create(client, how);
	dragger.window->manual = true;
	seatlog_init(&dragger.seat, client, true);
	dragger.seat.button = start;
	dragger.seat.data = &dragger;
	follow(&dragger);
	follow_all(&dragger);
	client_log("ready window");
	while (!client->closed) {
		client_dispatch(client);
		if (dragger.asked) {
			dragger.asked = false;
			client_barrier(client, dragger.window->surface);
			client_log("moved");
		}
		follow_all(&dragger);
	}
	seatlog_finish(&dragger.seat);
	window_destroy(dragger.window);
	buffer_destroy(dragger.buffer);
}
