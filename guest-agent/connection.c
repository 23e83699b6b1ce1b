#include "connection.h"
#include "activation.h"
#include "agent.h"
#include "app.h"
#include "content.h"
#include "controller.h"
#include "copy.h"
#include "link.h"
#include "output.h"
#include "presentation.h"
#include "registry.h"
#include "seat.h"
#include <drm_fourcc.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-client-protocol.h>
#include <wlr/util/log.h>

/*
 * The connection broke. The agent's own stands for the channel; an application's alone is that
 * application's fault (it made the controller raise an error), so only it is told.
 */
static void connection_lost(struct connection *connection) {
	struct agent *agent = connection->agent;
	struct app *app = connection->app;
	int error = wl_display_get_error(connection->remote);

	if (app == NULL) {
		controller_lost(agent->controller, error != 0 ? error : EPROTO);
	} else if (error == E2BIG) {
		wlr_log(WLR_ERROR, "an application asks faster than the controller takes, ended");
		app_disconnect(app);
		wl_client_post_implementation_error(
			app->client, "more requests than the controller takes");
	} else if (error != EPROTO) {
		app_lost(app); // with the controller, or alone?
	} else {
		const struct wl_interface *interface = NULL;
		uint32_t id = 0;
		uint32_t code = wl_display_get_protocol_error(connection->remote, &interface, &id);
		const char *name = interface != NULL ? interface->name : "an unknown object";
		wlr_log(WLR_ERROR, "the controller refused a request on %s#%u, error %u", name, id,
			code);
		app_disconnect(app);
		wl_client_post_implementation_error(
			app->client, "the controller refused a request on %s", name);
	}
}

// What an application's requests may take up while the channel does not take them.
#define BACKLOG_MAX (16 << 20)

static void set_mask(struct connection *connection, uint32_t mask) {
	if (connection->mask != mask) {
		connection->mask = mask;
		wl_event_source_fd_update(connection->source, mask);
	}
}

static bool connection_read(struct connection *connection) {
	while (wl_display_prepare_read(connection->remote) != 0) {
		if (wl_display_dispatch_pending(connection->remote) < 0) {
			return false;
		}
	}
	if (wl_display_read_events(connection->remote) < 0) {
		return false;
	}
	return wl_display_dispatch_pending(connection->remote) >= 0;
}

static void connection_dispatch(struct connection *connection) {
	if (!connection_read(connection) || connection->broken) {
		connection_lost(connection);
	}
}

void connection_read_delivered(struct connection *connection) {
	if (connection->link != NULL && link_take_delivered(connection->link)) {
		connection_dispatch(connection);
	}
}

static int handle_remote(int fd, uint32_t mask, void *data) {
	struct connection *connection = data;

	if ((mask & WL_EVENT_WRITABLE) != 0) {
		connection_flush(connection);
	}
	if ((mask & (WL_EVENT_READABLE | WL_EVENT_HANGUP | WL_EVENT_ERROR)) != 0) {
		connection_dispatch(connection); // which may be its end
	}
	return 0;
}

/* Returns whether all is taken again, after it was not. */
static bool flush_once(struct connection *connection) {
	int written = wl_display_flush(connection->remote);
	bool was_congested = connection->congested;

	// Any other error is seen, with its cause, when the connection is read.
	connection->congested = written < 0 && errno == EAGAIN;
	set_mask(connection,
		connection->congested ? WL_EVENT_READABLE | WL_EVENT_WRITABLE : WL_EVENT_READABLE);
	if (written != 0 && connection->link != NULL) {
		link_pump(connection->link);
	}
	return was_congested && !connection->congested;
}

void connection_flush(struct connection *connection) {
	while (flush_once(connection) && connection->app != NULL) {
		app_catch_up(connection->app);
	}
}

static void bound_handle_done(void *data, struct wl_callback *callback, uint32_t time) {
	struct connection *connection = data;
	wl_callback_destroy(callback);
	connection->sync = NULL;
	agent_controller_ready(connection->agent);
}

static const struct wl_callback_listener bound_listener = {.done = bound_handle_done};

static void registry_handle_done(void *data, struct wl_callback *callback, uint32_t time) {
	struct connection *connection = data;
	wl_callback_destroy(callback);
	connection->sync = NULL;

	if (!registry_complete(connection)) {
		connection->broken = true;
		return;
	}
	connection->ready = true;
	if (connection->app != NULL) {
		app_replay(connection->app);
		return;
	}
	// Outputs, seats and formats describe themselves first.
	connection->sync = wl_display_sync(connection->remote);
	wl_callback_add_listener(connection->sync, &bound_listener, connection);
}

static const struct wl_callback_listener registry_done_listener = {.done = registry_handle_done};

bool connection_has_format(const struct connection *connection, uint32_t drm_format) {
	const uint32_t *format;
	wl_array_for_each (format, &connection->formats) {
		if (*format == drm_format) {
			return true;
		}
	}
	return false;
}

void connection_add_format(struct connection *connection, uint32_t shm_format) {
	uint32_t drm_format = shm_format; // the same number but for these two

	if (shm_format == WL_SHM_FORMAT_ARGB8888) {
		drm_format = DRM_FORMAT_ARGB8888;
	} else if (shm_format == WL_SHM_FORMAT_XRGB8888) {
		drm_format = DRM_FORMAT_XRGB8888;
	}
	if (copy_format_bpp(drm_format) == 0 || connection_has_format(connection, drm_format)) {
		return;
	}
	uint32_t *format = wl_array_add(&connection->formats, sizeof(*format));
	if (format != NULL) {
		*format = drm_format;
	}
}

struct connection *connection_create(struct agent *agent, struct app *app) {
	struct connection *connection = calloc(1, sizeof(*connection));
	if (connection == NULL) {
		return NULL;
	}
	connection->agent = agent;
	connection->app = app;
	wl_array_init(&connection->formats);
	wl_list_init(&connection->slots);
	wl_list_init(&connection->feedbacks);
	wl_list_init(&connection->purchases);
	wl_list_init(&connection->outputs);
	wl_list_init(&connection->seats);

	char name[64] = "agent";
	// Every compositor has these two, and wlroots insists on them.
	connection_add_format(connection, WL_SHM_FORMAT_ARGB8888);
	connection_add_format(connection, WL_SHM_FORMAT_XRGB8888);
	if (app != NULL) {
		app_get_name(app, name, sizeof(name));
	}
	int fd = controller_open(agent->controller, name, &connection->link);
	if (fd < 0) {
		goto error;
	}
	connection->remote = wl_display_connect_to_fd(fd);
	if (connection->remote == NULL) { // and the descriptor is closed
		goto error;
	}
	// A burst of requests waits here for the channel instead of ending the connection.
	wl_display_set_max_buffer_size(connection->remote, app != NULL ? BACKLOG_MAX : 0);
	connection->mask = WL_EVENT_READABLE;
	connection->source =
		wl_event_loop_add_fd(agent->loop, fd, connection->mask, handle_remote, connection);
	if (connection->source == NULL) {
		goto error_remote;
	}
	connection->registry = registry_listen(connection);
	connection->sync = wl_display_sync(connection->remote);
	if (connection->registry == NULL || connection->sync == NULL) {
		goto error_source;
	}
	wl_callback_add_listener(connection->sync, &registry_done_listener, connection);
	connection_flush(connection);
	return connection;

error_source:
	wl_event_source_remove(connection->source);
error_remote:
	wl_display_disconnect(connection->remote);
error:
	link_detach(connection->link);
	wl_array_release(&connection->formats);
	free(connection);
	return NULL;
}

void connection_destroy(struct connection *connection) {
	if (connection == NULL) {
		return;
	}
	content_unrealize_all(connection);
	presentation_finish(connection);
	activation_finish(connection);
	struct seat_link *seat, *seat_tmp;
	wl_list_for_each_safe (seat, seat_tmp, &connection->seats, link) {
		seat_link_destroy(seat);
	}
	struct output_link *output, *output_tmp;
	wl_list_for_each_safe (output, output_tmp, &connection->outputs, link) {
		output_link_destroy(output);
	}
	registry_release(connection);
	if (connection->sync != NULL) {
		wl_callback_destroy(connection->sync);
	}
	wl_registry_destroy(connection->registry);
	wl_event_source_remove(connection->source);
	wl_display_flush(connection->remote);
	wl_display_disconnect(connection->remote);
	link_detach(connection->link);
	wl_array_release(&connection->formats);
	free(connection);
}
