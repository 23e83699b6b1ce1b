#include "guard.h"

#include <stdlib.h>
#include <string.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_xdg_shell.h>

/* The requests' opcodes. */
#define XDG_POPUP_GRAB 1
#define XDG_POPUP_REPOSITION 2

struct guard {
	struct wl_protocol_logger *logger;
	struct wl_listener display_destroy;
};

/*
 * wlroots 0.20.2 answers xdg_popup.reposition with wlr_xdg_surface_schedule_configure(), which
 * asserts that the popup had its initial commit. A client that has not made it gets an error in the
 * place of that; what wlroots schedules meanwhile goes with the client.
 */
static void handle_reposition(struct wlr_xdg_popup *popup) {
	if (popup->base->initialized) {
		return;
	}
	popup->base->initialized = true;
	wl_resource_post_error(popup->base->resource, XDG_SURFACE_ERROR_NOT_CONSTRUCTED,
		"xdg_popup was repositioned before its initial commit");
}

/* It also links a popup that is grabbed again into its list of grabs a second time. */
static void handle_grab(struct wlr_xdg_popup *popup) {
	if (popup->seat != NULL) {
		wl_list_remove(&popup->grab_link);
		wl_list_init(&popup->grab_link);
	}
}

static void handle_message(void *data, enum wl_protocol_logger_type type,
	const struct wl_protocol_logger_message *message) {
	int opcode = message->message_opcode;
	if (type != WL_PROTOCOL_LOGGER_REQUEST ||
		(opcode != XDG_POPUP_GRAB && opcode != XDG_POPUP_REPOSITION) ||
		strcmp(wl_resource_get_class(message->resource), "xdg_popup") != 0) {
		return;
	}
	struct wlr_xdg_popup *popup = wlr_xdg_popup_from_resource(message->resource);
	if (popup == NULL) {
		return;
	}
	if (opcode == XDG_POPUP_GRAB) {
		handle_grab(popup);
	} else {
		handle_reposition(popup);
	}
}

static void handle_display_destroy(struct wl_listener *listener, void *data) {
	struct guard *guard = wl_container_of(listener, guard, display_destroy);
	wl_protocol_logger_destroy(guard->logger);
	free(guard);
}

bool guard_create(struct wl_display *display) {
	struct guard *guard = calloc(1, sizeof(*guard));
	if (guard == NULL) {
		return false;
	}
	guard->logger = wl_display_add_protocol_logger(display, handle_message, NULL);
	if (guard->logger == NULL) {
		free(guard);
		return false;
	}
	guard->display_destroy.notify = handle_display_destroy;
	wl_display_add_destroy_listener(display, &guard->display_destroy);
	return true;
}
