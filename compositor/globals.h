#ifndef GLOBALS_H
#define GLOBALS_H

#include <stdbool.h>

struct server;

/* The protocol objects that other files ask; those that run by themselves are not kept. */
struct globals {
	struct wlr_xdg_shell *xdg_shell;
	struct wlr_layer_shell_v1 *layer_shell;
	struct wlr_security_context_manager_v1 *security_context;
	struct wlr_relative_pointer_manager_v1 *relative_pointer;
	struct wlr_pointer_constraints_v1 *pointer_constraints;
	struct wlr_pointer_gestures_v1 *pointer_gestures;
	struct wlr_cursor_shape_manager_v1 *cursor_shape;
	struct wlr_virtual_keyboard_manager_v1 *virtual_keyboard;
	struct wlr_virtual_pointer_manager_v1 *virtual_pointer;
	struct wlr_xdg_decoration_manager_v1 *xdg_decoration;
	struct wlr_server_decoration_manager *kde_decoration;
	struct wlr_xdg_activation_v1 *activation;
	struct wlr_idle_notifier_v1 *idle_notifier;
	struct wlr_idle_inhibit_manager_v1 *idle_inhibit;
	struct wlr_output_manager_v1 *output_manager;
	struct wlr_output_power_manager_v1 *output_power;
	struct wlr_foreign_toplevel_manager_v1 *foreign_toplevel;
};

/**
 * Creates every global the compositor offers, and the filter that shows a client with a security
 * context only those of a short list. False when memory is out.
 */
bool globals_create(struct server *server);

#endif
