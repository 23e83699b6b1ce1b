#include "hostd/door.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/must.h"
#include "hostd/audit.h"
#include "hostd/door_interface.h"
#include "hostd/door_program.h"
#include "hostd/guest_call.h"
#include "hostd/pace.h"
#include "hostd/sluice.h"
#include "hostd/watchers.h"

#define INTERFACE "org.portal.Door"

enum {
	/* portal-door's status when its stream is gone, and when there is none: portal-door(8) */
	DOOR_LOST = 3,
	DOOR_NONE = 4,
	RETRY_LEAST_MS = 1000,
	RETRY_MOST_MS = 30 * 1000,
	/* Twice what portal-door lets through (door/door.c): more comes of one that is not well. */
	CALLS_AT_ONCE = 128,
	CALLS_INTERVAL = 250 * 1000, /* µs */
	/* portal-door's calls have names of 63 bytes at most. */
	CALL_BYTES = 4096,
};

struct door {
	struct daemon *daemon;
	char *controller;
	char *transport, *key; /* `key` may be NULL */
	sd_varlink *connections[DOOR_CONNECTIONS]; /* NULL: none, or waiting for the retry */
	struct sluice *sluices[DOOR_CONNECTIONS]; /* in front of them */
	struct pace *pace;
	pid_t pid;
	sd_event_source *child, *retry;
	bool lost; /* there was no stream when it was last looked for, or no more */
	unsigned retry_ms;
	uint64_t opened; /* CLOCK_MONOTONIC, µs */
	LIST_ENTRY(door) link; /* daemon.doors */
};

static int list_guests(sd_varlink *link, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	struct door *door = data;
	int result = sd_varlink_dispatch(link, parameters, NULL, NULL);
	return result != 0
		       ? result
		       : watchers_answer(door->daemon, link, flags, guest_list, door->controller);
}

static int give_order(sd_varlink *link, const struct door *door, const struct guest_order *order) {
	struct audit_who who;
	audit_who_controller(&who, door->controller);
	return guest_call_begin(door->daemon, link, INTERFACE, &who, order);
}

static int start_guest(sd_varlink *link, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	static const sd_json_dispatch_field table[] = {
		{"guest", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
			offsetof(struct guest_order, guest), SD_JSON_MANDATORY},
		{0},
	};
	struct guest_order order = {.start = true};
	int result = sd_varlink_dispatch(link, parameters, table, &order);
	return result != 0 ? result : give_order(link, data, &order);
}

static int stop_guest(sd_varlink *link, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	static const sd_json_dispatch_field table[] = {
		{"guest", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
			offsetof(struct guest_order, guest), SD_JSON_MANDATORY},
		{"force", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
			offsetof(struct guest_order, force), SD_JSON_NULLABLE},
		{"timeoutSeconds", _SD_JSON_VARIANT_TYPE_INVALID, sd_json_dispatch_uint64,
			offsetof(struct guest_order, timeout_s), SD_JSON_NULLABLE},
		{0},
	};
	struct guest_order order = {.timeout_s = GUEST_TIMEOUT_S};
	int result = sd_varlink_dispatch(link, parameters, table, &order);
	return result != 0 ? result : give_order(link, data, &order);
}

struct report {
	const char *guest;
	uint64_t used;
};

static int report_heap(sd_varlink *link, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	static const sd_json_dispatch_field table[] = {
		{"guest", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
			offsetof(struct report, guest), SD_JSON_MANDATORY},
		{"used", _SD_JSON_VARIANT_TYPE_INVALID, sd_json_dispatch_uint64,
			offsetof(struct report, used), SD_JSON_MANDATORY},
		{0},
	};
	struct door *door = data;
	struct report report = {0};
	int result = sd_varlink_dispatch(link, parameters, table, &report);
	if (result != 0) {
		return result;
	}
	if (!guest_is_of(&door->daemon->policy, door->controller, report.guest)) {
		return guest_refuse(link, INTERFACE, "NoSuchGuest",
			"the host's policy has no guest %s for controller %s", report.guest,
			door->controller);
	}
	return guest_report_heap(door->daemon, link, INTERFACE, report.guest, report.used);
}

/* One handler for each method, which does it when it is time. */
#define METHOD(handler, method)                                                                    \
	static int handler(sd_varlink *link, sd_json_variant *parameters,                          \
		sd_varlink_method_flags_t flags, void *data) {                                     \
		struct door *door = data;                                                          \
		return pace_allows(door->pace, link, flags)                                        \
			       ? method(link, parameters, flags, data)                             \
			       : 0;                                                                \
	}

METHOD(handle_list, list_guests)
METHOD(handle_start, start_guest)
METHOD(handle_stop, stop_guest)
METHOD(handle_report, report_heap)

static void handle_slowed(void *data) {
	const struct door *door = data;
	say(LOG_WARNING,
		"the door of controller %s calls more often than one should: its calls wait",
		door->controller);
}

static void handle_disconnect(sd_varlink_server *server, sd_varlink *link, void *data) {
	struct daemon *daemon = sd_varlink_server_get_userdata(server);
	struct door *door = sd_varlink_get_userdata(link);
	if (door) {
		pace_forget(door->pace, link);
	}
	watchers_forget(daemon, link);
	guest_calls_forget(daemon, link);
}

int doors_init(struct daemon *daemon, struct error *error) {
	LIST_INIT(&daemon->doors);
	int result = sd_varlink_server_new(&daemon->doors_server, 0);
	sd_varlink_server *server = daemon->doors_server;
	if (result >= 0) {
		sd_varlink_server_set_userdata(server, daemon);
		sd_varlink_server_set_info(server, "Portal", "portal-hostd", PORTAL_VERSION, NULL);
		result = sd_varlink_server_add_interface(server, &vl_interface_org_portal_Door);
	}
	if (result >= 0) {
		result = sd_varlink_server_bind_method_many(server, DOOR_METHOD_LIST_GUESTS,
			handle_list, DOOR_METHOD_START_GUEST, handle_start, DOOR_METHOD_STOP_GUEST,
			handle_stop, DOOR_METHOD_REPORT_HEAP, handle_report);
	}
	if (result >= 0) {
		result = sd_varlink_server_bind_disconnect(server, handle_disconnect);
	}
	if (result >= 0) {
		/* Behind everything that the daemon does by itself. */
		result = sd_varlink_server_attach_event(server, daemon->loop, CALLS_PRIORITY);
	}
	return result < 0 ? error_set(error, "the doors' interface: %s", strerror(-result)) : 0;
}

static void hang_up(struct door *door) {
	for (size_t i = 0; i < DOOR_CONNECTIONS; i++) {
		if (door->connections[i]) {
			pace_forget(door->pace, door->connections[i]);
			watchers_forget(door->daemon, door->connections[i]);
			guest_calls_forget(door->daemon, door->connections[i]);
			sd_varlink_set_userdata(door->connections[i], NULL);
			door->connections[i] = sd_varlink_close_unref(door->connections[i]);
		}
		sluice_destroy(door->sluices[i]);
		door->sluices[i] = NULL;
	}
}

static void door_free(struct door *door) {
	LIST_REMOVE(door, link);
	hang_up(door);
	if (door->pid > 0) {
		kill(door->pid, SIGKILL);
		waitpid(door->pid, NULL, 0);
	}
	sd_event_source_disable_unref(door->child);
	sd_event_source_disable_unref(door->retry);
	pace_destroy(door->pace);
	free(door->controller);
	free(door->transport);
	free(door->key);
	free(door);
}

void doors_finish(struct daemon *daemon) {
	while (!LIST_EMPTY(&daemon->doors)) {
		door_free(LIST_FIRST(&daemon->doors));
	}
	daemon->doors_server = sd_varlink_server_unref(daemon->doors_server);
}

static struct door *door_new(struct daemon *daemon, const struct policy_vm *vm) {
	struct door *door = must_alloc(1, sizeof(*door));
	door->daemon = daemon;
	door->controller = must_copy(vm->name);
	door->transport = must_copy(vm->door);
	door->key = must_copy(vm->door_key);
	door->retry_ms = RETRY_LEAST_MS;
	LIST_INSERT_HEAD(&daemon->doors, door, link);
	return door;
}

static void handle_long_call(void *data) {
	const struct door *door = data;
	say(LOG_WARNING,
		"the door of controller %s makes a call of more than %d bytes: its connection ends",
		door->controller, CALL_BYTES);
}

/* Takes the descriptor over. -1 with errno. */
static int answer_at(struct door *door, size_t index, int fd) {
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	const struct sluice_options sluice = {
		.outside = fd,
		.inside = ends[1],
		.most = CALL_BYTES,
		.priority = CALLS_PRIORITY,
		.exceeded = handle_long_call,
		.data = door,
	};
	door->sluices[index] = sluice_create(door->daemon->loop, &sluice);
	sd_varlink *connection;
	int result = door->sluices[index]
			     ? sd_varlink_server_add_connection(
				       door->daemon->doors_server, ends[0], &connection)
			     : -errno;
	if (result < 0) {
		close(ends[0]);
		errno = -result;
		return -1;
	}
	door->connections[index] = sd_varlink_ref(connection);
	sd_varlink_set_userdata(connection, door);
	return 0;
}

static void start(struct door *door);

/* A VM that ends takes its socket along before libvirt says that it has ended. */
static bool is_there(const struct door *door) {
	static const char serial[] = "virtio-serial:";
	size_t length = strlen(serial);
	return strncmp(door->transport, serial, length) != 0 ||
	       access(door->transport + length, F_OK) == 0;
}

static void try_later(struct door *door);

static int handle_retry(sd_event_source *source, uint64_t usec, void *data) {
	struct door *door = data;
	if (door->lost && !is_there(door)) {
		try_later(door);
	} else {
		start(door);
	}
	return 0;
}

static void try_later(struct door *door) {
	hang_up(door);
	if (!door->retry && sd_event_add_time(door->daemon->loop, &door->retry, CLOCK_MONOTONIC,
				    UINT64_MAX, 0, handle_retry, door) < 0) {
		return;
	}
	sd_event_source_set_time_relative(door->retry, (uint64_t)door->retry_ms * 1000);
	sd_event_source_set_enabled(door->retry, SD_EVENT_ONESHOT);
	door->retry_ms = door->retry_ms * 2 < RETRY_MOST_MS ? door->retry_ms * 2 : RETRY_MOST_MS;
}

/* A VM that ends closes its stream, and there is none until another one is started. */
static void note_closed(struct door *door, const siginfo_t *info) {
	bool exited = info->si_code == CLD_EXITED;
	if (exited && info->si_status == DOOR_NONE && !door->lost) {
		say(LOG_WARNING, "the door of controller %s is not open: there is no stream at %s",
			door->controller, door->transport);
	} else if (exited && (info->si_status == DOOR_NONE || info->si_status == DOOR_LOST)) {
		say(LOG_INFO, "the door of controller %s has closed: its VM's end is gone",
			door->controller);
	} else {
		say(LOG_WARNING, "the door of controller %s has closed (%s %d)", door->controller,
			exited ? "status" : "signal", info->si_status);
	}
	door->lost = exited && (info->si_status == DOOR_NONE || info->si_status == DOOR_LOST);
}

static int handle_child(sd_event_source *source, const siginfo_t *info, void *data) {
	struct door *door = data;
	door->pid = 0;
	door->child = sd_event_source_disable_unref(door->child);
	note_closed(door, info);
	/* Only one that cannot stay open is opened ever more rarely. */
	uint64_t now;
	if (sd_event_now(door->daemon->loop, CLOCK_MONOTONIC, &now) >= 0 &&
		now - door->opened > (uint64_t)RETRY_MOST_MS * 1000) {
		door->retry_ms = RETRY_LEAST_MS;
	}
	try_later(door);
	return 0;
}

/* Takes the descriptors over. An errno. */
static int answer_all(struct door *door, const int here[DOOR_CONNECTIONS]) {
	int error = 0;
	for (size_t i = 0; i < DOOR_CONNECTIONS; i++) {
		if (answer_at(door, i, here[i]) < 0) {
			error = errno;
		}
	}
	return error;
}

static int start_program(struct door *door) {
	const struct pace_options pace = {
		.most = CALLS_AT_ONCE,
		.interval = CALLS_INTERVAL,
		.slowed = handle_slowed,
		.data = door,
	};
	int here[DOOR_CONNECTIONS];
	if (!door->pace && !(door->pace = pace_create(door->daemon->loop, &pace))) {
		return ENOMEM;
	}
	const struct door_program program = {
		.path = door->daemon->options->door_program,
		.controller = door->controller,
		.transport = door->transport,
		.key = door->key,
	};
	int error = door_program_start(&program, here, &door->pid);
	if (!error) {
		error = -sd_event_add_child(
			door->daemon->loop, &door->child, door->pid, WEXITED, handle_child, door);
	}
	if (error > 0) {
		door_program_close(here);
		return error;
	}
	return answer_all(door, here);
}

static void start(struct door *door) {
	int error = start_program(door);
	sd_event_now(door->daemon->loop, CLOCK_MONOTONIC, &door->opened);
	if (error) {
		say(LOG_ERR, "the door of controller %s cannot be opened: %s: %s", door->controller,
			door->daemon->options->door_program, strerror(error));
		try_later(door);
		return;
	}
	say(LOG_INFO, "the door of controller %s is open at %s", door->controller, door->transport);
}

static bool text_equal(const char *a, const char *b) {
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* Whether a VM is to have the door it has. */
static bool is_wanted(const struct daemon *daemon, const struct door *door) {
	const struct policy_vm *vm = policy_find_vm(&daemon->policy, door->controller);
	int state = vm ? domains_state(&daemon->domains, vm->domain) : DOMAIN_ABSENT;
	/* What is not known changes nothing. */
	return vm && state != DOMAIN_OFF && state != DOMAIN_ABSENT &&
	       text_equal(vm->door, door->transport) && text_equal(vm->door_key, door->key);
}

static bool has_door(const struct daemon *daemon, const char *controller) {
	const struct door *door;
	LIST_FOREACH(door, &daemon->doors, link) {
		if (strcmp(door->controller, controller) == 0) {
			return true;
		}
	}
	return false;
}

void doors_update(struct daemon *daemon) {
	struct door *door, *next;
	for (door = LIST_FIRST(&daemon->doors); door; door = next) {
		next = LIST_NEXT(door, link);
		if (!is_wanted(daemon, door)) {
			if (door->pid > 0) {
				say(LOG_INFO, "the door of controller %s is closed",
					door->controller);
			}
			door_free(door);
		}
	}
	for (size_t i = 0; i < daemon->policy.vms_count; i++) {
		const struct policy_vm *vm = &daemon->policy.vms[i];
		int state = domains_state(&daemon->domains, vm->domain);
		if (vm->door && (state == DOMAIN_RUNNING || state == DOMAIN_PAUSED) &&
			!has_door(daemon, vm->name)) {
			start(door_new(daemon, vm));
		}
	}
}
