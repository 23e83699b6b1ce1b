#include "watch.h"
#include "agent.h"
#include "app.h"
#include "popup.h"
#include <string.h>
#include <wayland-client-protocol.h>
#include <wlr/types/wlr_xdg_shell.h>
#include <xdg-shell-client-protocol.h>

/* Is it this request of this interface? Called for every message, so the cheap test comes first. */
static bool is_request(
	const struct wl_protocol_logger_message *message, int opcode, const char *interface) {
	return message->message_opcode == opcode &&
	       strcmp(wl_resource_get_class(message->resource), interface) == 0;
}

static void handle_message(void *data, enum wl_protocol_logger_type type,
	const struct wl_protocol_logger_message *message) {
	struct agent *agent = data;

	if (type != WL_PROTOCOL_LOGGER_REQUEST) {
		return;
	}
	if (is_request(message, XDG_POPUP_GRAB, "xdg_popup")) {
		struct wlr_xdg_popup *popup = wlr_xdg_popup_from_resource(message->resource);
		if (popup != NULL) {
			popup_set_grab_serial(popup, message->arguments[1].u);
			// wlroots 0.20.2 links it into its list of grabs again.
			if (popup->seat != NULL) {
				wl_list_remove(&popup->grab_link);
				wl_list_init(&popup->grab_link);
			}
		}
	} else if (is_request(message, XDG_POPUP_REPOSITION, "xdg_popup")) {
		struct wlr_xdg_popup *popup = wlr_xdg_popup_from_resource(message->resource);
		if (popup != NULL) {
			popup_prepare_reposition(popup);
		}
	} else if (is_request(message, XDG_WM_BASE_PONG, "xdg_wm_base")) {
		app_pong(app_from_client(agent, wl_resource_get_client(message->resource)));
	} else if (is_request(message, WL_SUBSURFACE_SET_DESYNC, "wl_subsurface")) {
		agent_heap_freed(agent); // a frame may have waited for it, and need not any more
	}
}

struct wl_protocol_logger *watch_create(struct agent *agent) {
	return wl_display_add_protocol_logger(agent->display, handle_message, agent);
}
