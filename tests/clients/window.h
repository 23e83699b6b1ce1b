/* A toplevel of a test client. */
#ifndef WINDOW_H
#define WINDOW_H

#include "buffer.h"

#define WINDOW_MAX_STATES 16

struct window {
	struct client *client;
	struct wl_surface *surface;
	struct xdg_surface *xdg_surface;
	struct xdg_toplevel *toplevel;
	struct zxdg_toplevel_decoration_v1 *decoration; // NULL where the compositor has none
	/* The last configure sequence. */
	int width, height; // surface units; 0: the client decides
	uint32_t states; // bit i: enum xdg_toplevel_state i
	uint32_t serial; // not yet acknowledged; 0: none
	bool configured; // a configure has come since window_create() or window_await_configure()
	bool log; // print every configure
	bool mapped; // has shown content; from then on every configure is acknowledged at once,
	bool manual; // unless this is set: whoever set it acknowledges and draws
	struct buffer *buffer; // shown last by window_draw(), owned
};

/* Makes a toplevel with a title and app id made of `name`, asks for server-side decoration, and
 * waits for its first configure. The size is fixed when `width` is not 0, so that tiling
 * compositors leave it alone as well. The caller destroys it. */
struct window *window_create(struct client *client, const char *name, int width, int height);
/* As window_create(), but before the initial commit. */
struct window *window_begin(struct client *client, const char *name, int width, int height);
void window_destroy(struct window *window);

/* Acknowledges the last configure, if that has not been done. */
void window_ack(struct window *window);

/* Waits for the next configure; the ones before are forgotten. */
void window_await_configure(struct window *window);

/* Acknowledges, attaches `buffer` (ownership stays), damages all of it, commits, and counts the
 * commit as not presented. */
void window_show(struct window *window, struct buffer *buffer);

/* As window_show() with a new pattern of the given size, which the window owns. */
void window_draw(struct window *window, int width, int height, uint32_t seed);

/* Prints the size and states as one line: "configure TITLE WxH state,…". */
void window_print(struct window *window, const char *what);

#endif
