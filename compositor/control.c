#include "control.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <systemd/sd-varlink.h>
#include <unistd.h>
#include <wlr/util/log.h>

#include "config_file.h"
#include "control_interface.h"
#include "control_state.h"
#include "control_window.h"
#include "reload.h"
#include "server.h"

/* One client of the socket. */
struct connection {
	struct wl_list link; // control.connections
	sd_varlink *varlink; /* gone before this is */
	bool watching; /* gets the stream of states */
};

struct control {
	struct server *server;
	char *directory; /* $XDG_RUNTIME_DIR/portal */
	char *path;
	sd_event *event;
	sd_varlink_server *varlink;
	struct wl_event_source *source;
	struct wl_event_source *idle; /* NULL: nothing has changed */
	struct wl_list connections; // connection.link
};

/* sd-event's loop runs inside of libwayland's. */
static void run_events(struct control *control) {
	while (sd_event_run(control->event, 0) > 0) {
	}
}

static int handle_readable(int fd, uint32_t mask, void *data) {
	run_events(data);
	return 0;
}

static int reply_state(struct server *server, sd_varlink *varlink, bool more) {
	sd_json_variant *state = NULL;
	int result = control_state_build(server, &state);
	if (result >= 0) {
		result = more ? sd_varlink_notifybo(
					varlink, SD_JSON_BUILD_PAIR_VARIANT("state", state))
			      : sd_varlink_replybo(
					varlink, SD_JSON_BUILD_PAIR_VARIANT("state", state));
	}
	sd_json_variant_unref(state);
	return result;
}

static int handle_get_state(sd_varlink *varlink, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	int result = sd_varlink_dispatch(varlink, parameters, NULL, NULL);
	return result != 0 ? result : reply_state(data, varlink, false);
}

static struct connection *find_connection(struct control *control, const sd_varlink *varlink) {
	struct connection *connection;
	wl_list_for_each (connection, &control->connections, link) {
		if (connection->varlink == varlink) {
			return connection;
		}
	}
	return NULL;
}

static int handle_connect(sd_varlink_server *varlink_server, sd_varlink *varlink, void *data) {
	struct server *server = data;
	struct connection *connection = calloc(1, sizeof(*connection));
	if (connection == NULL) {
		return -ENOMEM;
	}
	connection->varlink = varlink;
	wl_list_insert(&server->control->connections, &connection->link);
	return 0;
}

static void handle_disconnect(sd_varlink_server *varlink_server, sd_varlink *varlink, void *data) {
	struct server *server = data;
	struct connection *connection = find_connection(server->control, varlink);
	if (connection == NULL) {
		return;
	}
	wl_list_remove(&connection->link);
	if (connection->watching) {
		sd_varlink_unref(varlink);
	}
	free(connection);
}

static int handle_watch(sd_varlink *varlink, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	struct server *server = data;
	struct connection *connection = find_connection(server->control, varlink);
	int result = sd_varlink_dispatch(varlink, parameters, NULL, NULL);
	if (result != 0) {
		return result;
	}
	if (!(flags & SD_VARLINK_METHOD_MORE)) {
		return sd_varlink_error(varlink, SD_VARLINK_ERROR_EXPECTED_MORE, NULL);
	}
	// sd-varlink hangs up on a pending call that nobody holds on to.
	if (!connection->watching) {
		sd_varlink_ref(varlink);
	}
	connection->watching = true;
	return reply_state(server, varlink, true);
}

static int handle_reload(sd_varlink *varlink, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	struct config_error error;
	int result = sd_varlink_dispatch(varlink, parameters, NULL, NULL);
	if (result != 0) {
		return result;
	}
	if (!reload_config(data, &error)) {
		return sd_varlink_errorbo(varlink, CONTROL_INTERFACE ".BadConfiguration",
			SD_JSON_BUILD_PAIR_STRING("message", error.message));
	}
	return sd_varlink_reply(varlink, NULL);
}

static int handle_quit(sd_varlink *varlink, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	int result = sd_varlink_dispatch(varlink, parameters, NULL, NULL);
	if (result != 0) {
		return result;
	}
	server_stop(data);
	result = sd_varlink_reply(varlink, NULL);
	sd_varlink_flush(varlink);
	return result;
}

static void notify_watchers(void *data) {
	struct control *control = data;
	control->idle = NULL;
	struct connection *connection;
	wl_list_for_each (connection, &control->connections, link) {
		// One that cannot be told any more is about to be disconnected.
		if (connection->watching) {
			reply_state(control->server, connection->varlink, true);
		}
	}
	run_events(control);
}

void control_changed(struct server *server) {
	struct control *control = server->control;
	if (control == NULL || control->idle != NULL) {
		return;
	}
	struct connection *connection;
	wl_list_for_each (connection, &control->connections, link) {
		if (connection->watching) {
			control->idle =
				wl_event_loop_add_idle(server->loop, notify_watchers, control);
			return;
		}
	}
}

static int open_server(struct control *control) {
	int result = sd_event_new(&control->event);
	if (result >= 0) {
		result = sd_varlink_server_new(&control->varlink,
			SD_VARLINK_SERVER_MYSELF_ONLY | SD_VARLINK_SERVER_INHERIT_USERDATA);
	}
	if (result < 0) {
		return result;
	}
	sd_varlink_server_set_userdata(control->varlink, control->server);
	result = sd_varlink_server_set_info(
		control->varlink, "Portal", "portal", PORTAL_VERSION, NULL);
	if (result >= 0) {
		result = sd_varlink_server_add_interface(
			control->varlink, &vl_interface_org_portal_Controller);
	}
	if (result >= 0) {
		result = sd_varlink_server_bind_method_many(control->varlink,
			CONTROL_INTERFACE ".GetState", handle_get_state, CONTROL_INTERFACE ".Watch",
			handle_watch, CONTROL_INTERFACE ".Reload", handle_reload,
			CONTROL_INTERFACE ".Quit", handle_quit);
	}
	if (result >= 0) {
		result = control_window_bind(control->varlink);
	}
	if (result >= 0) {
		result = sd_varlink_server_bind_connect(control->varlink, handle_connect);
	}
	if (result >= 0) {
		result = sd_varlink_server_bind_disconnect(control->varlink, handle_disconnect);
	}
	if (result >= 0) {
		result = sd_varlink_server_attach_event(control->varlink, control->event, 0);
	}
	return result;
}

/* The Wayland socket's lock says that this display is ours: a socket left there is a dead one's. */
static int listen_on_path(struct control *control) {
	const char *socket = control->server->socket;
	if (asprintf(&control->directory, "%s/portal", getenv("XDG_RUNTIME_DIR")) < 0) {
		control->directory = NULL;
		return -ENOMEM;
	}
	if (mkdir(control->directory, 0700) != 0 && errno != EEXIST) {
		return -errno;
	}
	if (asprintf(&control->path, "%s/%s.varlink", control->directory, socket) < 0) {
		control->path = NULL;
		return -ENOMEM;
	}
	unlink(control->path);
	return sd_varlink_server_listen_address(control->varlink, control->path, 0600);
}

void control_create(struct server *server) {
	struct control *control = calloc(1, sizeof(*control));
	if (control == NULL) {
		wlr_log(WLR_ERROR, "no control socket: no memory");
		return;
	}
	control->server = server;
	server->control = control;
	wl_list_init(&control->connections);
	int result = open_server(control);
	if (result >= 0) {
		result = listen_on_path(control);
	}
	if (result >= 0) {
		control->source =
			wl_event_loop_add_fd(server->loop, sd_event_get_fd(control->event),
				WL_EVENT_READABLE, handle_readable, control);
		result = control->source != NULL ? 0 : -ENOMEM;
	}
	if (result < 0) {
		wlr_log(WLR_ERROR, "no control socket %s: %s",
			control->path != NULL ? control->path : "", strerror(-result));
		control_destroy(control);
		return;
	}
	run_events(control);
}

void control_destroy(struct control *control) {
	if (control == NULL) {
		return;
	}
	struct connection *connection, *next;
	wl_list_for_each_safe (connection, next, &control->connections, link) {
		sd_varlink_close(connection->varlink); // comes back as handle_disconnect()
	}
	assert(wl_list_empty(&control->connections));
	if (control->idle != NULL) {
		wl_event_source_remove(control->idle);
	}
	if (control->source != NULL) {
		wl_event_source_remove(control->source);
		unlink(control->path);
	}
	control->server->control = NULL;
	sd_varlink_server_unref(control->varlink);
	sd_event_unref(control->event);
	if (control->directory != NULL) {
		rmdir(control->directory); // unless another program of Portal still uses it
	}
	free(control->directory);
	free(control->path);
	free(control);
}
