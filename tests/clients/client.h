/* The connection of a test client: the globals it binds, the waiting it does, what it prints.
 *
 * A test client is written as a straight line: it shows something, waits until the compositor has
 * presented it, prints "ready NAME", and waits for a line on its standard input before it goes on.
 * Everything it prints is the same on every run, so that a run through an agent can be compared
 * with a native one word by word; serials, times and object ids are therefore never printed. */
#ifndef CLIENT_H
#define CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-client.h>

#include "cursor-shape-v1-client-protocol.h"
#include "fractional-scale-v1-client-protocol.h"
#include "presentation-time-client-protocol.h"
#include "viewporter-client-protocol.h"
#include "xdg-decoration-unstable-v1-client-protocol.h"
#include "xdg-output-unstable-v1-client-protocol.h"
#include "xdg-shell-client-protocol.h"

#define CLIENT_MAX_FORMATS 256

struct client {
	struct wl_display *display;
	struct wl_registry *registry;
	struct wl_compositor *compositor;
	struct wl_subcompositor *subcompositor;
	struct wl_shm *shm;
	struct wl_seat *seat; // the first one offered; seatlog_init() binds it
	uint32_t seat_global, seat_version;
	struct xdg_wm_base *wm_base;
	struct wl_data_device_manager *data_devices; // NULL where not offered, as all below
	struct zwp_primary_selection_device_manager_v1 *primary_selections;
	struct wp_viewporter *viewporter;
	struct wp_presentation *presentation;
	struct wp_cursor_shape_manager_v1 *cursor_shapes;
	struct wp_fractional_scale_manager_v1 *fractional_scales;
	struct zxdg_decoration_manager_v1 *decorations;
	struct org_kde_kwin_server_decoration_manager *kde_decorations;
	struct zxdg_output_manager_v1 *xdg_outputs;
	uint32_t formats[CLIENT_MAX_FORMATS];
	size_t formats_len;
	uint32_t presentation_clock;
	/* Called for every global that comes or goes, when set. */
	void (*global)(
		struct client *client, uint32_t name, const char *interface, uint32_t version);
	void (*global_remove)(struct client *client, uint32_t name);
	void *data;
	int unpresented; // surfaces whose last commit has not been presented
	struct wl_list frames; // frame.link, one for each of them
	bool closed; // a window was asked to close
	bool stdin_eof;
};

/* Connects to WAYLAND_DISPLAY and binds every global a client may want; ends the program with a
 * message when there is no compositor, or it lacks a mandatory global. */
void client_init(struct client *client);

/* Starts the registry over: `global` is called for every global there is, and those to come. */
void client_restart_registry(struct client *client);

/* Destroys what client_init() bound, flushes and disconnects. */
void client_finish(struct client *client);

/* Prints a line to standard error and ends the program with status 1. */
_Noreturn void client_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints one line of the event log, complete and at once. */
void client_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Waits for events and dispatches them; ends the program when the connection breaks. */
void client_dispatch(struct client *client);

/* Waits until the server this connection ends at has handled everything sent so far. */
void client_roundtrip(struct client *client);

/* Makes a subsurface; ends the program with a message where the compositor knows none. */
struct wl_subsurface *client_get_subsurface(
	struct client *client, struct wl_surface *surface, struct wl_surface *parent);

/* Asks for a frame callback on `surface`, to be sent with its next commit, and counts it as not
 * presented until the callback comes. */
void client_expect_frame(struct client *client, struct wl_surface *surface);

/* Waits until every surface counted by client_expect_frame() has been presented. */
void client_wait_presented(struct client *client);

/* Waits until the compositor has handled everything sent so far, by a frame of a visible surface:
 * through a guest's agent a round trip ends at the agent. Commits the surface. */
void client_barrier(struct client *client, struct wl_surface *surface);

/* Waits until `*flag` is set by an event handler. */
void client_wait(struct client *client, const bool *flag);

/* Prints "ready NAME" and waits for one line on standard input, handling events meanwhile. At the
 * end of the input, or when the window was closed, it returns false: the client should end. */
bool client_stage(struct client *client, const char *name);

/* Waits for presentation, then client_stage(). */
bool client_show_stage(struct client *client, const char *name);

#endif
