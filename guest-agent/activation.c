#include "activation.h"
#include "agent.h"
#include "app.h"
#include "connection.h"
#include "seat.h"
#include "server.h"
#include "surface.h"
#include "xdg.h"
#include <stdlib.h>
#include <string.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_xdg_activation_v1.h>
#include <xdg-activation-v1-client-protocol.h>

// Marks tokens that came with a launch.
static const char from_controller;

/* A token asked for on the connection of who gave it, for a surface that may be of another. */
struct purchase {
	struct surface *target; // NULL when it is gone
	struct xdg_activation_token_v1 *mirror;
	struct wl_list link; // connection.purchases
	struct wl_listener target_destroy;
};

static void purchase_destroy(struct purchase *purchase) {
	xdg_activation_token_v1_destroy(purchase->mirror);
	wl_list_remove(&purchase->target_destroy.link);
	wl_list_remove(&purchase->link);
	free(purchase);
}

void activation_finish(struct connection *connection) {
	struct purchase *purchase, *tmp;
	wl_list_for_each_safe (purchase, tmp, &connection->purchases, link) {
		purchase_destroy(purchase);
	}
}

/* Programs use the token they were started with before their first commit, when neither the
 * connection need be ready nor the mirror be a window: then it waits for both. */
static void activate(struct surface *surface, const char *token) {
	free(surface->token);
	surface->token = strdup(token);
	activation_catch_up(surface);
}

void activation_catch_up(struct surface *surface) {
	struct connection *connection = surface_connection(surface);

	if (surface->token == NULL || connection == NULL || surface->xdg == NULL ||
		surface->xdg->mirror == NULL) {
		return;
	}
	if (connection->activation != NULL) {
		xdg_activation_v1_activate(connection->activation, surface->token, surface->mirror);
	}
	free(surface->token);
	surface->token = NULL;
}

static void handle_done(void *data, struct xdg_activation_token_v1 *mirror, const char *token) {
	struct purchase *purchase = data;
	if (purchase->target != NULL) {
		activate(purchase->target, token);
	}
	purchase_destroy(purchase);
}

static const struct xdg_activation_token_v1_listener token_listener = {.done = handle_done};

static void handle_target_destroy(struct wl_listener *listener, void *data) {
	struct purchase *purchase = wl_container_of(listener, purchase, target_destroy);
	purchase->target = NULL;
	wl_list_remove(&purchase->target_destroy.link);
	wl_list_init(&purchase->target_destroy.link);
}

/* The input event that the giver of a token showed is the controller's to judge. */
static void buy(struct connection *connection, const struct wlr_xdg_activation_token_v1 *token,
	struct surface *giver, struct surface *target) {
	struct purchase *purchase = calloc(1, sizeof(*purchase));
	if (purchase == NULL) {
		return;
	}
	purchase->target = target;
	purchase->target_destroy.notify = handle_target_destroy;
	wl_signal_add(&target->wlr->events.destroy, &purchase->target_destroy);
	purchase->mirror = xdg_activation_v1_get_activation_token(connection->activation);
	xdg_activation_token_v1_add_listener(purchase->mirror, &token_listener, purchase);
	wl_list_insert(&connection->purchases, &purchase->link);

	if (token->seat != NULL) {
		struct seat_link *link = seat_link_find(connection, token->seat->data);
		uint32_t serial = serial_map_find(&connection->serials, token->serial);
		if (link != NULL && serial != 0) {
			xdg_activation_token_v1_set_serial(purchase->mirror, serial, link->mirror);
		}
	}
	if (giver != NULL && giver->mirror != NULL) {
		xdg_activation_token_v1_set_surface(purchase->mirror, giver->mirror);
	}
	if (token->app_id != NULL) {
		xdg_activation_token_v1_set_app_id(purchase->mirror, token->app_id);
	}
	xdg_activation_token_v1_commit(purchase->mirror);
}

void activation_handle_request(struct wl_listener *listener, void *data) {
	struct wlr_xdg_activation_v1_request_activate_event *event = data;
	struct surface *target = surface_from_wlr(event->surface);
	struct wlr_xdg_activation_token_v1 *token = event->token;

	if (token->data == &from_controller) {
		activate(target, wlr_xdg_activation_token_v1_get_name(token));
		return;
	}
	// A token says which surface it was given from, if the giver told.
	struct surface *giver = token->surface != NULL ? surface_from_wlr(token->surface) : NULL;
	struct connection *connection = surface_connection(giver != NULL ? giver : target);
	if (connection != NULL && connection->activation != NULL) {
		buy(connection, token, giver, target);
	}
}

void activation_expect(struct agent *agent, const char *name) {
	struct wlr_xdg_activation_v1 *activation = agent->server->activation;
	if (activation == NULL || wlr_xdg_activation_v1_find_token(activation, name) != NULL) {
		return;
	}
	struct wlr_xdg_activation_token_v1 *token =
		wlr_xdg_activation_v1_add_token(activation, name);
	if (token != NULL) {
		token->data = (void *)&from_controller;
	}
}
