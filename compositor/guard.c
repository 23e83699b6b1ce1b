#include "guard.h"

#include <stdlib.h>
#include <string.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_layer_shell_v1.h>
#include <wlr/types/wlr_xdg_shell.h>

/* The requests' opcodes. */
#define XDG_POPUP_GRAB 1
#define XDG_POPUP_REPOSITION 2
#define LAYER_SURFACE_GET_POPUP 5

struct guard {
	struct wl_protocol_logger *logger;
	struct wl_listener display_destroy;
};

/*
 * wlroots 0.20.2 answers xdg_popup.reposition with wlr_xdg_surface_schedule_configure(), which
 * asserts that the popup had its initial commit. A client that has not made it gets an error in the
 * place of that; what wlroots schedules meanwhile goes with the client.
 */
static void handle_reposition(const struct wl_protocol_logger_message *message) {
	struct wlr_xdg_popup *popup = wlr_xdg_popup_from_resource(message->resource);
	if (popup == NULL || popup->base->initialized) {
		return;
	}
	popup->base->initialized = true;
	wl_resource_post_error(popup->base->resource, XDG_SURFACE_ERROR_NOT_CONSTRUCTED,
		"xdg_popup was repositioned before its initial commit");
}

/* It also links a popup that is grabbed again into its list of grabs a second time. */
static void handle_grab(const struct wl_protocol_logger_message *message) {
	struct wlr_xdg_popup *popup = wlr_xdg_popup_from_resource(message->resource);
	if (popup != NULL && popup->seat != NULL) {
		wl_list_remove(&popup->grab_link);
		wl_list_init(&popup->grab_link);
	}
}

/* And it takes the popup that a layer surface is given for one that is still there. Of a layer
 * surface that is not, it takes none. */
static void handle_get_popup(const struct wl_protocol_logger_message *message) {
	struct wl_resource *layer_surface = message->resource;
	// A resource begins with its object.
	struct wl_resource *popup = (struct wl_resource *)message->arguments[0].o;
	if (wlr_xdg_popup_from_resource(popup) != NULL) {
		return;
	}
	wl_resource_post_error(layer_surface, ZWLR_LAYER_SURFACE_V1_ERROR_INVALID_SURFACE_STATE,
		"the popup for this layer surface has been dismissed");
	wlr_layer_surface_v1_destroy(wlr_layer_surface_v1_from_resource(layer_surface));
}

struct guarded {
	const char *interface;
	int opcode;
	void (*handle)(const struct wl_protocol_logger_message *message);
};

/* Every request comes by here: numbers are compared first. */
static void handle_message(void *data, enum wl_protocol_logger_type type,
	const struct wl_protocol_logger_message *message) {
	static const struct guarded guarded[] = {
		{"xdg_popup", XDG_POPUP_GRAB, handle_grab},
		{"xdg_popup", XDG_POPUP_REPOSITION, handle_reposition},
		{"zwlr_layer_surface_v1", LAYER_SURFACE_GET_POPUP, handle_get_popup},
	};
	if (type != WL_PROTOCOL_LOGGER_REQUEST) {
		return;
	}
	for (size_t i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++) {
		const struct guarded *request = &guarded[i];
		if (message->message_opcode == request->opcode &&
			strcmp(wl_resource_get_class(message->resource), request->interface) == 0) {
			request->handle(message);
		}
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
