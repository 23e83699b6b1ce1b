/* One application of the guest: a client of the agent's display. */
#ifndef GUEST_AGENT_APP_H
#define GUEST_AGENT_APP_H

#include <stddef.h>
#include <stdint.h>
#include <wayland-server-core.h>

struct agent;
struct connection;

struct app {
	struct agent *agent;
	struct wl_client *client;
	struct connection *connection; // NULL while there is no controller
	uint32_t ping; // the controller's serial that the application has not answered; 0: none
	struct wl_callback *probe; // on the agent's connection: is the controller there?
	struct wl_list surfaces; // surface.link, oldest first
	struct wl_list link; // agent.apps

	struct wl_listener destroy; // the client
};

/** Made for each new client; freed when the client goes. Returns NULL with errno. */
struct app *app_create(struct agent *agent, struct wl_client *client);
/** The application behind a client; NULL when it is going. */
struct app *app_from_client(struct agent *agent, struct wl_client *client);

/** Opens the application's connection, when there is a controller and it has none. */
void app_connect(struct app *app);
/** The connection knows the controller's globals: makes every mirror from wlroots' state. */
void app_replay(struct app *app);
/** The connection takes requests again: sends what was held back. */
void app_catch_up(struct app *app);
/** Drops every mirror and the connection. */
void app_disconnect(struct app *app);

/**
 * Its connection ended without an error. If the controller is still there, it has ended this one,
 * and the application with it; if not, the next controller shows the application again.
 */
void app_lost(struct app *app);
/** What its program is called, for logs. */
void app_get_name(const struct app *app, char *name, size_t size);

/** The controller asks whether the application is alive: it is asked in turn. */
void app_ping(struct app *app, uint32_t serial);
/** It is. */
void app_pong(struct app *app);

#endif
