#include "activation.h"

#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_xdg_activation_v1.h>

#include "layer.h"
#include "seat.h"
#include "server.h"
#include "stacking.h"
#include "toplevel.h"

/* How long a token is good for, in milliseconds: a virtual machine may have to start for it. */
#define TOKEN_TIMEOUT (5 * 60 * 1000)

/* Judged when the token is made, for the focus can be elsewhere once it is used. */
static bool is_earned(const struct wlr_xdg_activation_token_v1 *token) {
	if (token->seat == NULL || token->surface == NULL) {
		return false;
	}
	struct seat *seat = token->seat->data;
	struct toplevel *toplevel = toplevel_from_surface(token->surface);
	struct wlr_seat_client *client = wlr_seat_client_for_wl_client(
		token->seat, wl_resource_get_client(token->surface->resource));
	// A launcher or a bar, which only local programs have, need not have the focus.
	bool is_layer = layer_from_surface(
				seat->server, wlr_surface_get_root_surface(token->surface)) != NULL;
	bool is_used = toplevel != NULL && toplevel == seat->focused;
	return client != NULL && (is_layer || is_used) &&
	       wlr_seat_client_validate_event_serial(client, token->serial);
}

static void handle_new_token(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, new_token);
	struct wlr_xdg_activation_token_v1 *token = data;
	// Any address will do that is not NULL.
	token->data = is_earned(token) ? server : NULL;
}

static void handle_request_activate(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, request_activate);
	const struct wlr_xdg_activation_v1_request_activate_event *event = data;
	struct toplevel *toplevel = toplevel_from_surface(event->surface);
	if (toplevel == NULL || event->token->data == NULL) {
		return;
	}
	if (!toplevel->mapped) {
		toplevel->activate_on_map = true;
		return;
	}
	struct seat *seat = event->token->seat != NULL
				    ? event->token->seat->data
				    : wl_container_of(server->seats.next, seat, link);
	if (seat_is_typed_in_another(seat, toplevel)) {
		return;
	}
	stacking_raise(toplevel);
	seat_focus(seat, toplevel);
	seat_update_pointers(server);
}

void activation_init(struct server *server) {
	struct wlr_xdg_activation_v1 *activation = server->globals.activation;
	activation->token_timeout_msec = TOKEN_TIMEOUT;
	server->new_token.notify = handle_new_token;
	wl_signal_add(&activation->events.new_token, &server->new_token);
	server->request_activate.notify = handle_request_activate;
	wl_signal_add(&activation->events.request_activate, &server->request_activate);
}

void activation_finish(struct server *server) {
	wl_list_remove(&server->new_token.link);
	wl_list_remove(&server->request_activate.link);
}
