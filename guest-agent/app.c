#include "app.h"
#include "agent.h"
#include "connection.h"
#include "popup.h"
#include "printable.h"
#include "subsurface.h"
#include "surface.h"
#include "toplevel.h"
#include "xdg.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-client-protocol.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_xdg_shell.h>
#include <wlr/util/log.h>
#include <xdg-shell-client-protocol.h>

struct app *app_from_client(struct agent *agent, struct wl_client *client) {
	struct app *app = wl_client_get_user_data(client);
	return app;
}

void app_connect(struct app *app) {
	if (app->connection != NULL || app->agent->connection == NULL) {
		return;
	}
	app->connection = connection_create(app->agent, app);
	if (app->connection == NULL) {
		wlr_log_errno(WLR_ERROR, "no connection to the controller for an application");
	}
}

void app_replay(struct app *app) {
	struct surface *surface;

	wl_list_for_each (surface, &app->surfaces, link) {
		surface_realize(surface);
	}
	wl_list_for_each (surface, &app->surfaces, link) {
		subsurface_realize_all(surface);
		if (surface->xdg != NULL) {
			xdg_realize(surface->xdg);
		}
	}
	wl_list_for_each (surface, &app->surfaces, link) {
		surface_update(surface);
	}
}

void app_catch_up(struct app *app) {
	struct surface *surface;

	wl_list_for_each (surface, &app->surfaces, link) {
		if (surface->xdg != NULL && surface->xdg->toplevel != NULL) {
			toplevel_catch_up(surface->xdg->toplevel);
		}
		surface_update(surface);
	}
}

static void drop_probe(struct app *app) {
	if (app->probe != NULL) {
		wl_callback_destroy(app->probe);
		app->probe = NULL;
	}
}

void app_disconnect(struct app *app) {
	struct surface *surface;

	drop_probe(app);
	if (app->connection == NULL) {
		return;
	}
	popup_dismiss_grabs(app);
	// The newest first: popups go before what they stand on.
	wl_list_for_each_reverse (surface, &app->surfaces, link) {
		surface_unrealize(surface);
	}
	connection_destroy(app->connection);
	app->connection = NULL;
	app->ping = 0;
}

static void handle_probe_done(void *data, struct wl_callback *probe, uint32_t time) {
	struct app *app = data;
	wl_callback_destroy(probe);
	app->probe = NULL;
	wl_client_post_implementation_error(
		app->client, "the controller ended this application's connection");
}

static const struct wl_callback_listener probe_listener = {.done = handle_probe_done};

void app_lost(struct app *app) {
	struct connection *own = app->agent->connection;

	app_disconnect(app);
	if (own != NULL) {
		drop_probe(app);
		app->probe = wl_display_sync(own->remote);
		wl_callback_add_listener(app->probe, &probe_listener, app);
	}
}

void app_get_name(const struct app *app, char *name, size_t size) {
	char path[32];
	pid_t pid;

	wl_client_get_credentials(app->client, &pid, NULL, NULL);
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	FILE *file = fopen(path, "re");
	if (file == NULL || fgets(name, (int)size, file) == NULL) {
		snprintf(name, size, "unknown");
	}
	if (file != NULL) {
		fclose(file);
	}
	/* A program may call itself anything. */
	portal_printable_copy(name, size, name, strcspn(name, "\n"));
}

void app_ping(struct app *app, uint32_t serial) {
	struct surface *surface;

	app->ping = serial;
	wl_list_for_each (surface, &app->surfaces, link) {
		if (surface->xdg != NULL) {
			wlr_xdg_surface_ping(surface->xdg->wlr);
			return;
		}
	}
	app_pong(app); // nothing to ask
}

void app_pong(struct app *app) {
	if (app != NULL && app->ping != 0 && app->connection != NULL) {
		xdg_wm_base_pong(app->connection->wm_base, app->ping);
		app->ping = 0;
	}
}

/* Runs when the client and all its resources are gone. */
static void handle_destroy(struct wl_listener *listener, void *data) {
	struct app *app = wl_container_of(listener, app, destroy);

	app_disconnect(app);
	wl_list_remove(&app->destroy.link);
	wl_list_remove(&app->link);
	free(app);
}

struct app *app_create(struct agent *agent, struct wl_client *client) {
	struct app *app = calloc(1, sizeof(*app));
	if (app == NULL) {
		return NULL;
	}
	app->agent = agent;
	app->client = client;
	wl_list_init(&app->surfaces);
	wl_list_insert(agent->apps.prev, &app->link);
	wl_client_set_user_data(client, app, NULL);
	app->destroy.notify = handle_destroy;
	wl_client_add_destroy_late_listener(client, &app->destroy);
	app_connect(app);
	return app;
}
