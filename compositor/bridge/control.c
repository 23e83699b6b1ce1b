#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "bridge-varlink.h"
#include "bridge.h"

/* What the use of the heap has to change by to be told: a part of itself, and bytes. */
enum { HEAP_PART = 8, HEAP_LEAST = 64 * 1024 };
#define HEAP_INTERVAL UINT64_C(1000000) /* µs */
/* How often states change is up to the guest, how often they are told is not: so many at once, then
 * one each interval. */
#define STATE_BURST 40
#define STATE_INTERVAL UINT64_C(50000) /* µs */

static int control_path(char *path, size_t size, const char *vm) {
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	if (!runtime || runtime[0] != '/') {
		errno = ENOENT;
		return -1;
	}
	if ((size_t)snprintf(path, size, "%s/portal/bridge-%s.varlink", runtime, vm) >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

static bool is_stale(const struct sockaddr_un *address) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return false;
	}
	bool stale = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
		     errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int bind_control(const struct sockaddr_un *address) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -1;
	}
	int result = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	if (result < 0 && errno == EADDRINUSE && is_stale(address)) {
		unlink(address->sun_path);
		result = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	}
	if (result < 0 || listen(fd, SOMAXCONN) < 0) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

/* The directory is made for this user only: who can connect may steer the guest. */
static int make_and_bind(struct sockaddr_un *address) {
	char *slash = strrchr(address->sun_path, '/');
	int fd = -1;
	errno = ENOENT;
	/* Another bridge's end may take the empty directory away in between. */
	for (int tries = 0; fd < 0 && errno == ENOENT && tries < 10; tries++) {
		*slash = '\0';
		int result = mkdir(address->sun_path, 0700);
		*slash = '/';
		if (result < 0 && errno != EEXIST) {
			return -1;
		}
		fd = bind_control(address);
	}
	return fd;
}

int bridge_control_listen(const char *vm, bool *made) {
	*made = false;
	if (sd_listen_fds(1) == 1) {
		fcntl(SD_LISTEN_FDS_START, F_SETFD, FD_CLOEXEC);
		return SD_LISTEN_FDS_START;
	}
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (control_path(address.sun_path, sizeof(address.sun_path), vm) < 0) {
		fprintf(stderr, "portal-bridge: control socket: XDG_RUNTIME_DIR: %s\n",
			strerror(errno));
		return -1;
	}
	int fd = make_and_bind(&address);
	if (fd < 0) {
		fprintf(stderr, "portal-bridge: control socket %s: %s\n", address.sun_path,
			errno == EADDRINUSE ? "another bridge serves this virtual machine"
					    : strerror(errno));
		return -1;
	}
	*made = true;
	return fd;
}

void bridge_control_unlink(const char *vm) {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	if (control_path(path, sizeof(path), vm) == 0) {
		unlink(path);
		*strrchr(path, '/') = '\0';
		rmdir(path); /* stays while there are others */
	}
}

static const char *problem_name(enum bridge_status status) {
	switch (status) {
	case BRIDGE_UNREACHABLE:
	case BRIDGE_LOST:
		return "unreachable";
	case BRIDGE_KEY:
		return "key";
	case BRIDGE_VERSION:
		return "version";
	case BRIDGE_HEAP:
		return "heap";
	case BRIDGE_VIOLATION:
		return "protocol";
	default:
		return NULL;
	}
}

/* Bytes of the heap that buffers lie in: the bridge's own count, whatever the guest says of it. A
 * guest that lays buffers over each other has all of its heap. */
static uint64_t heap_in_buffers(const struct bridge *bridge) {
	uint64_t bytes = bridge->quota.used[PORTAL_QUOTA_BUFFER_BYTES];
	return bytes < bridge->heap.header.size ? bytes : bridge->heap.header.size;
}

static int build_state(const struct bridge *bridge, sd_json_variant **reply) {
	bool ready = bridge_is_ready(bridge);
	const struct portal_hello *peer = ready ? portal_channel_get_peer(bridge->channel) : NULL;
	const char *problem = ready ? NULL : problem_name(bridge->status);
	sd_id128_t own, agent = SD_ID128_NULL;
	memcpy(&own, bridge->boot_id, sizeof(own));
	if (peer) {
		memcpy(&agent, peer->boot_id, sizeof(agent));
	}
	return sd_json_buildo(reply, SD_JSON_BUILD_PAIR_STRING("vm", bridge->options->vm),
		SD_JSON_BUILD_PAIR_STRING("state", ready ? "ready" : "waiting"),
		SD_JSON_BUILD_PAIR_CONDITION(
			problem != NULL, "problem", SD_JSON_BUILD_STRING(problem)),
		SD_JSON_BUILD_PAIR_CONDITION(!ready && bridge->message[0] != '\0', "message",
			SD_JSON_BUILD_STRING(bridge->message)),
		SD_JSON_BUILD_PAIR_UNSIGNED(
			"windows", bridge_connections_count_windows(&bridge->connections)),
		SD_JSON_BUILD_PAIR_UNSIGNED("programs", bridge->launches.count),
		SD_JSON_BUILD_PAIR_STRING("transport", bridge->options->transport_text),
		SD_JSON_BUILD_PAIR_STRING("heap", bridge->options->heap_text),
		SD_JSON_BUILD_PAIR_CONDITION(
			ready, "heapSize", SD_JSON_BUILD_UNSIGNED(bridge->heap.header.size)),
		SD_JSON_BUILD_PAIR_CONDITION(
			ready, "heapUsed", SD_JSON_BUILD_UNSIGNED(bridge->stats.heap_used)),
		SD_JSON_BUILD_PAIR_CONDITION(
			ready, "heapInBuffers", SD_JSON_BUILD_UNSIGNED(bridge->control.heap_peak)),
		SD_JSON_BUILD_PAIR_CONDITION(
			ready, "frames", SD_JSON_BUILD_UNSIGNED(bridge->stats.frames)),
		SD_JSON_BUILD_PAIR_CONDITION(ready, "damagedPixels",
			SD_JSON_BUILD_UNSIGNED(bridge->stats.damaged_pixels)),
		SD_JSON_BUILD_PAIR_CONDITION(
			ready, "copiedPixels", SD_JSON_BUILD_UNSIGNED(bridge->stats.copied_pixels)),
		SD_JSON_BUILD_PAIR_CONDITION(
			ready, "software", SD_JSON_BUILD_STRING(peer ? peer->software : NULL)),
		SD_JSON_BUILD_PAIR("bootId", SD_JSON_BUILD_ID128(own)),
		SD_JSON_BUILD_PAIR_CONDITION(ready, "agentBootId", SD_JSON_BUILD_ID128(agent)));
}

static int add_watcher(struct bridge_control *control, sd_varlink *link) {
	if (control->n_watchers == control->watchers_capacity) {
		size_t capacity = control->watchers_capacity ? control->watchers_capacity * 2 : 4;
		sd_varlink **grown = realloc(control->watchers, capacity * sizeof(sd_varlink *));
		if (!grown) {
			return -ENOMEM;
		}
		control->watchers = grown;
		control->watchers_capacity = capacity;
	}
	control->watchers[control->n_watchers++] = sd_varlink_ref(link);
	return 0;
}

static int handle_get_state(sd_varlink *link, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	struct bridge *bridge = data;
	sd_json_variant *reply = NULL;
	int result = sd_varlink_dispatch(link, parameters, NULL, NULL);
	if (result != 0) {
		return result;
	}
	if (bridge_is_ready(bridge)) {
		/* The guest need not answer, so nobody waits for it: the next reply has what it
		 * says. */
		(void)portal_channel_send_stats(bridge->channel, NULL, 0);
	}
	result = build_state(bridge, &reply);
	if (result >= 0 && (flags & SD_VARLINK_METHOD_MORE)) {
		result = add_watcher(&bridge->control, link);
		if (result >= 0) {
			result = sd_varlink_notify(link, reply);
		}
	} else if (result >= 0) {
		result = sd_varlink_reply(link, reply);
	}
	sd_json_variant_unref(reply);
	return result;
}

struct launch_parameters {
	char **argv, **environment;
};

static void free_strv(char **strv) {
	for (size_t i = 0; strv && strv[i]; i++) {
		free(strv[i]);
	}
	free(strv);
}

static int start_launch(struct bridge *bridge, sd_varlink *link, bool more,
	const struct launch_parameters *parameters) {
	struct bridge_launch *launch = bridge_launches_add(&bridge->launches, link, more);
	if (!launch) {
		return sd_varlink_error_errno(link, errno);
	}
	if (portal_channel_send_launch(bridge->channel, launch->id,
		    (const char *const *)parameters->argv,
		    (const char *const *)parameters->environment) < 0) {
		int error = errno;
		bridge_launches_remove(&bridge->launches, launch);
		return sd_varlink_errorbo(link, BRIDGE_ERROR_LAUNCH_FAILED,
			SD_JSON_BUILD_PAIR_INTEGER("errno", error));
	}
	bridge_control_changed(&bridge->control);
	return 0;
}

static int handle_launch(sd_varlink *link, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	static const sd_json_dispatch_field table[] = {
		{"argv", SD_JSON_VARIANT_ARRAY, sd_json_dispatch_strv,
			offsetof(struct launch_parameters, argv), SD_JSON_MANDATORY},
		{"environment", SD_JSON_VARIANT_ARRAY, sd_json_dispatch_strv,
			offsetof(struct launch_parameters, environment), SD_JSON_NULLABLE},
		{0},
	};
	struct bridge *bridge = data;
	struct launch_parameters launch = {0};
	int result = sd_varlink_dispatch(link, parameters, table, &launch);
	if (result == 0) {
		if (!launch.argv || !launch.argv[0]) {
			result = sd_varlink_error_invalid_parameter_name(link, "argv");
		} else if (!bridge_is_ready(bridge)) {
			result = sd_varlink_errorbo(link, BRIDGE_ERROR_NOT_READY,
				SD_JSON_BUILD_PAIR_CONDITION(bridge->message[0] != '\0', "message",
					SD_JSON_BUILD_STRING(bridge->message)));
		} else {
			result =
				start_launch(bridge, link, flags & SD_VARLINK_METHOD_MORE, &launch);
		}
	}
	free_strv(launch.argv);
	free_strv(launch.environment);
	return result;
}

struct signal_parameters {
	uint32_t launch;
	int32_t signal;
};

static int handle_signal(sd_varlink *link, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	static const sd_json_dispatch_field table[] = {
		{"launch", _SD_JSON_VARIANT_TYPE_INVALID, sd_json_dispatch_uint32,
			offsetof(struct signal_parameters, launch), SD_JSON_MANDATORY},
		{"signal", _SD_JSON_VARIANT_TYPE_INVALID, sd_json_dispatch_int32,
			offsetof(struct signal_parameters, signal), SD_JSON_MANDATORY},
		{0},
	};
	struct bridge *bridge = data;
	struct signal_parameters request = {0};
	int result = sd_varlink_dispatch(link, parameters, table, &request);
	if (result != 0) {
		return result;
	}
	if (request.signal <= 0 || request.signal > 64) {
		return sd_varlink_error_invalid_parameter_name(link, "signal");
	}
	if (!bridge_launches_find(&bridge->launches, request.launch)) {
		return sd_varlink_error(link, BRIDGE_ERROR_NO_SUCH_LAUNCH, NULL);
	}
	if (portal_channel_send_signal(bridge->channel, request.launch, request.signal) < 0) {
		return sd_varlink_error_errno(link, errno);
	}
	return sd_varlink_reply(link, NULL);
}

static int handle_quit(sd_varlink *link, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	struct bridge *bridge = data;
	int result = sd_varlink_dispatch(link, parameters, NULL, NULL);
	if (result != 0) {
		return result;
	}
	result = sd_varlink_reply(link, NULL);
	bridge_stop(bridge, BRIDGE_DONE, "asked to quit");
	return result;
}

static void handle_disconnect(sd_varlink_server *server, sd_varlink *link, void *data) {
	struct bridge *bridge = data;
	struct bridge_control *control = &bridge->control;
	bridge_launches_forget(&bridge->launches, link);
	for (size_t i = 0; i < control->n_watchers; i++) {
		if (control->watchers[i] == link) {
			sd_varlink_unref(link);
			control->watchers[i] = control->watchers[--control->n_watchers];
			break;
		}
	}
}

int bridge_control_init(struct bridge_control *control, struct bridge *bridge, int listen_fd) {
	*control = (struct bridge_control){.bridge = bridge};
	int result = sd_varlink_server_new(&control->server, SD_VARLINK_SERVER_INHERIT_USERDATA);
	if (result < 0) {
		return result;
	}
	sd_varlink_server *server = control->server;
	sd_varlink_server_set_userdata(server, bridge);
	sd_varlink_server_set_info(server, "Portal", "portal-bridge", PORTAL_VERSION, NULL);
	if ((result = sd_varlink_server_add_interface(server, &vl_interface_org_portal_Bridge)) <
			0 ||
		(result = sd_varlink_server_bind_method_many(server, BRIDGE_METHOD_GET_STATE,
			 handle_get_state, BRIDGE_METHOD_LAUNCH, handle_launch,
			 BRIDGE_METHOD_SIGNAL, handle_signal, BRIDGE_METHOD_QUIT, handle_quit)) <
			0 ||
		(result = sd_varlink_server_bind_disconnect(server, handle_disconnect)) < 0 ||
		(result = sd_varlink_server_attach_event(server, bridge->event, 0)) < 0) {
		return result;
	}
	return sd_varlink_server_listen_fd(server, listen_fd);
}

void bridge_control_finish(struct bridge_control *control) {
	for (size_t i = 0; i < control->n_watchers; i++) {
		sd_varlink_unref(control->watchers[i]);
	}
	free(control->watchers);
	sd_event_source_disable_unref(control->pause);
	sd_varlink_server_unref(control->server);
	*control = (struct bridge_control){0};
}

void bridge_control_changed(struct bridge_control *control) {
	control->changed = true;
}

/*
 * The use of the heap is told when it has changed by an eighth, and at most once a second, by turns
 * that happen anyway: what changed within that second is told by a later one.
 */
static bool is_heap_to_be_told(const struct bridge_control *control, uint64_t *now) {
	const struct bridge *bridge = control->bridge;
	if (control->n_watchers == 0 || !bridge_is_ready(bridge)) {
		return false;
	}
	uint64_t bytes = control->heap_peak > control->heap_told ? control->heap_peak
								 : heap_in_buffers(bridge);
	uint64_t told = control->heap_told;
	uint64_t moved = bytes > told ? bytes - told : told - bytes;
	return moved > told / HEAP_PART && moved > HEAP_LEAST &&
	       sd_event_now(bridge->event, CLOCK_MONOTONIC, now) >= 0 &&
	       *now - control->heap_told_at >= HEAP_INTERVAL;
}

/* The end of this turn tells. */
static int handle_pause_end(sd_event_source *source, uint64_t usec, void *data) {
	struct bridge_control *control = data;
	control->waiting = false;
	return 0;
}

static int begin_pause(struct bridge_control *control) {
	if (!control->pause) {
		return sd_event_add_time_relative(control->bridge->event, &control->pause,
			CLOCK_MONOTONIC, STATE_INTERVAL, 1000, handle_pause_end, control);
	}
	int result = sd_event_source_set_time_relative(control->pause, STATE_INTERVAL);
	return result < 0 ? result : sd_event_source_set_enabled(control->pause, SD_EVENT_ONESHOT);
}

/* Whether so much was told just now that the end of a pause is to tell the rest. */
static bool is_too_early(struct bridge_control *control) {
	uint64_t now;
	if (control->n_watchers == 0 || control->waiting ||
		sd_event_now(control->bridge->event, CLOCK_MONOTONIC, &now) < 0) {
		return control->waiting;
	}
	uint64_t spent = control->spent_until > now ? control->spent_until - now : 0;
	control->waiting = spent >= STATE_BURST * STATE_INTERVAL && begin_pause(control) >= 0;
	if (!control->waiting) {
		control->spent_until = now + spent + STATE_INTERVAL;
	}
	return control->waiting;
}

void bridge_control_flush(struct bridge_control *control) {
	uint64_t now = control->heap_told_at, bytes = heap_in_buffers(control->bridge);
	control->heap_peak = bytes > control->heap_peak ? bytes : control->heap_peak;
	if (!control->changed && !is_heap_to_be_told(control, &now)) {
		return;
	}
	if (is_too_early(control)) {
		return;
	}
	control->changed = false;
	control->heap_told = bytes;
	control->heap_told_at = now;
	sd_json_variant *state = NULL;
	if (control->n_watchers == 0 || build_state(control->bridge, &state) < 0) {
		return;
	}
	for (size_t i = 0; i < control->n_watchers; i++) {
		sd_varlink_notify(control->watchers[i], state);
	}
	control->heap_peak = bytes;
	sd_json_variant_unref(state);
}
