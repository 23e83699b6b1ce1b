/* One application of the guest: a client of the agent's display. */
#ifndef GUEST_AGENT_APP_H
#define GUEST_AGENT_APP_H

#include <stdint.h>
#include <wayland-server-core.h>

struct agent;
struct connection;

struct app {
	struct agent *agent;
	struct wl_client *client;
	struct connection *connection; // NULL while there is no controller
	uint32_t ping; // the controller's serial that the application has not answered; 0: none
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
/** Drops every mirror and the connection. */
void app_disconnect(struct app *app);

/** The controller asks whether the application is alive: it is asked in turn. */
void app_ping(struct app *app, uint32_t serial);
/** It is. */
void app_pong(struct app *app);

#endif
