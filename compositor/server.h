#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <wayland-server-core.h>

#include "globals.h"

struct compositor_config;
struct control;
struct wlr_allocator;
struct wlr_backend;
struct wlr_compositor;
struct wlr_output_layout;
struct wlr_renderer;
struct wlr_scene;
struct wlr_scene_output_layout;
struct wlr_scene_tree;
struct wlr_session;
struct wlr_xcursor_manager;

/* What lies over what, bottom first. */
enum stack {
	STACK_BACKGROUND,
	STACK_BOTTOM,
	STACK_WINDOWS,
	STACK_TOP,
	STACK_FULLSCREEN,
	STACK_OVERLAY,
	STACK_LAYER_POPUPS,
	STACK_DRAG_ICONS,
	STACK_COUNT,
};

/* The one object that is handed around. */
struct server {
	struct wl_display *display;
	struct wl_event_loop *loop;
	const char *socket; /* name of the Wayland socket, owned by the display */
	struct control *control; /* NULL: no control socket */

	struct compositor_config *config; /* never NULL */
	char *config_path; /* of the command line; NULL: looked for where it usually is */

	struct wlr_backend *backend;
	struct wlr_session *session; /* NULL unless on a console */
	struct wlr_renderer *renderer;
	struct wlr_allocator *allocator;
	struct wlr_compositor *compositor;
	struct globals globals;

	struct wlr_scene *scene;
	struct wlr_scene_tree *stack[STACK_COUNT];
	struct wlr_output_layout *layout;
	struct wlr_scene_output_layout *scene_layout;
	struct wlr_xcursor_manager *xcursor;

	struct wl_list outputs; // output.link
	struct wl_list toplevels; // toplevel.link, most recently focused first
	struct wl_list layers; // layer.link
	struct wl_list seats; // seat.link, never empty while running
	struct wl_list dirty_frames; // frame.link
	uint64_t last_toplevel_id;
	struct rlimit descriptors; /* as the compositor was started with */
	bool stopping;
	bool environment_published; /* to systemd and D-Bus */

	struct wl_listener new_output;
	struct wl_listener new_input;
	struct wl_listener new_toplevel;
	struct wl_listener new_popup;
	struct wl_listener new_layer;
	struct wl_listener new_decoration;
	struct wl_listener new_kde_decoration;
	struct wl_listener new_token;
	struct wl_listener request_activate;
	struct wl_listener new_inhibitor;
	struct wl_listener new_constraint;
	struct wl_listener layout_change;
	struct wl_listener output_apply;
	struct wl_listener output_test;
	struct wl_listener output_power_mode;
	struct wl_listener new_virtual_keyboard;
	struct wl_listener new_virtual_pointer;
	struct wl_listener request_set_shape;
	struct wl_listener renderer_lost;
};

/**
 * Makes the display, the backend and everything the compositor offers; the socket is not open yet.
 * CONFIG becomes the server's, CONFIG_PATH is copied. Returns NULL after saying on the log what is
 * missing and what helps.
 */
struct server *server_create(struct compositor_config *config, const char *config_path);

/**
 * Opens the Wayland socket NAME (NULL: the first free wayland-N) and starts the backend. False
 * after saying on the log why not.
 */
bool server_start(struct server *server, const char *name);

/** Loads the configured cursor theme in the place of the one before. */
void server_load_cursor_theme(struct server *server);

/** Runs a command with sh -c in this session's environment; never waits for it. */
void server_spawn(struct server *server, const char *command);

/** Ends the event loop after the current event. */
void server_stop(struct server *server);

void server_destroy(struct server *server);

#endif
