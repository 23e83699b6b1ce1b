#include "door/backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <systemd/sd-json.h>
#include <systemd/sd-varlink.h>
#include <unistd.h>

#define INTERFACE "org.portal.Door"

/* A call that waits for a connection. */
struct pending {
	struct door_request *request;
	TAILQ_ENTRY(pending) link; /* backend.pending, in the order of the calls */
};

struct connection {
	struct backend *backend;
	sd_varlink *link; /* NULL: gone */
	struct door_request *request; /* what it was asked; NULL: nothing */
};

struct backend {
	struct connection connections[BACKEND_CONNECTIONS_MAX];
	unsigned count;
	TAILQ_HEAD(, pending) pending;
	void (*lost)(void *data);
	void *data;
};

static void answer(struct door_request *request, enum portal_call_error error, const char *text) {
	door_request_answer(request, error, NULL, 0, text);
}

/* portal-hostd's words, where it has some. */
static const char *get_text(sd_json_variant *parameters, const char *key) {
	sd_json_variant *value =
		parameters != NULL ? sd_json_variant_by_key(parameters, key) : NULL;
	return value != NULL && sd_json_variant_is_string(value) ? sd_json_variant_string(value)
								 : NULL;
}

static enum portal_call_error error_of(const char *error) {
	static const struct {
		const char *name;
		enum portal_call_error error;
	} errors[] = {
		{INTERFACE ".NoSuchGuest", PORTAL_CALL_NO_GUEST},
		{INTERFACE ".Refused", PORTAL_CALL_REFUSED},
		{INTERFACE ".Failed", PORTAL_CALL_FAILED},
		{INTERFACE ".Timeout", PORTAL_CALL_TIMEOUT},
		{INTERFACE ".NoLibvirt", PORTAL_CALL_UNAVAILABLE},
	};
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (strcmp(error, errors[i].name) == 0) {
			return errors[i].error;
		}
	}
	return PORTAL_CALL_FAILED;
}

static enum portal_guest_state state_of(const char *state) {
	static const char *const names[] = {
		[PORTAL_GUEST_UNDEFINED] = "undefined",
		[PORTAL_GUEST_OFF] = "off",
		[PORTAL_GUEST_RUNNING] = "running",
		[PORTAL_GUEST_PAUSED] = "paused",
		[PORTAL_GUEST_STOPPING] = "stopping",
	};
	for (size_t i = PORTAL_GUEST_UNDEFINED; i < sizeof(names) / sizeof(names[0]); i++) {
		if (state != NULL && strcmp(state, names[i]) == 0) {
			return (enum portal_guest_state)i;
		}
	}
	return PORTAL_GUEST_UNKNOWN;
}

static bool is_printable(const char *text) {
	while (*text >= 0x20 && *text <= 0x7e) {
		text++;
	}
	return *text == '\0';
}

/* False for one whose name no CALL can have, and for which the whole answer would be none. */
static bool read_guest(struct portal_frame_guest *guest, sd_json_variant *object) {
	*guest = (struct portal_frame_guest){0};
	const char *name = get_text(object, "name");
	if (name == NULL || name[0] == '\0' || strlen(name) > PORTAL_NAME_MAX ||
		!is_printable(name)) {
		return false;
	}
	memcpy(guest->name, name, strlen(name));
	guest->state = state_of(get_text(object, "state"));
	sd_json_variant *size = sd_json_variant_by_key(object, "heapSize");
	guest->heap_size = size != NULL && sd_json_variant_is_unsigned(size)
				   ? sd_json_variant_unsigned(size)
				   : 0;
	return true;
}

static void answer_list(struct door_request *request, sd_json_variant *parameters) {
	sd_json_variant *list = sd_json_variant_by_key(parameters, "guests");
	size_t total =
		list != NULL && sd_json_variant_is_array(list) ? sd_json_variant_elements(list) : 0;
	total = total < PORTAL_ANSWER_GUESTS_MAX ? total : PORTAL_ANSWER_GUESTS_MAX;
	struct portal_frame_guest *guests = calloc(total + 1, sizeof(*guests));
	if (guests == NULL) {
		answer(request, PORTAL_CALL_FAILED, strerror(ENOMEM));
		return;
	}
	size_t count = 0;
	for (size_t i = 0; i < total; i++) {
		count += read_guest(&guests[count], sd_json_variant_by_index(list, i));
	}
	door_request_answer(request, PORTAL_CALL_DONE, guests, count, NULL);
	free(guests);
}

/* Everybody who waits for an answer gets this one. */
static void close_all(struct backend *backend, const char *text) {
	for (unsigned i = 0; i < backend->count; i++) {
		struct connection *connection = &backend->connections[i];
		struct door_request *request = connection->request;
		connection->link = sd_varlink_close_unref(connection->link);
		connection->request = NULL;
		if (request != NULL) {
			answer(request, PORTAL_CALL_UNAVAILABLE, text);
		}
	}
	struct pending *pending;
	while ((pending = TAILQ_FIRST(&backend->pending)) != NULL) {
		TAILQ_REMOVE(&backend->pending, pending, link);
		answer(pending->request, PORTAL_CALL_UNAVAILABLE, text);
		free(pending);
	}
}

static int invoke(sd_varlink *link, const struct door_call *call) {
	switch (call->untrusted_method) {
	case PORTAL_CALL_LIST:
		return sd_varlink_invoke(link, INTERFACE ".ListGuests", NULL);
	case PORTAL_CALL_START:
		return sd_varlink_invokebo(link, INTERFACE ".StartGuest",
			SD_JSON_BUILD_PAIR("guest", SD_JSON_BUILD_STRING(call->guest)));
	case PORTAL_CALL_STOP:
		return sd_varlink_invokebo(link, INTERFACE ".StopGuest",
			SD_JSON_BUILD_PAIR("guest", SD_JSON_BUILD_STRING(call->guest)),
			SD_JSON_BUILD_PAIR("force", SD_JSON_BUILD_BOOLEAN(call->force)),
			SD_JSON_BUILD_PAIR(
				"timeoutSeconds", SD_JSON_BUILD_UNSIGNED(call->untrusted_value)));
	case PORTAL_CALL_HEAP_USE:
		return sd_varlink_invokebo(link, INTERFACE ".ReportHeap",
			SD_JSON_BUILD_PAIR("guest", SD_JSON_BUILD_STRING(call->guest)),
			SD_JSON_BUILD_PAIR("used", SD_JSON_BUILD_UNSIGNED(call->untrusted_value)));
	default:
		return -EOPNOTSUPP;
	}
}

/* Whether its answer may come in an hour only, whoever still waits for it. */
static bool is_slow(const struct door_call *call) {
	return call->untrusted_method == PORTAL_CALL_START ||
	       (call->untrusted_method == PORTAL_CALL_STOP && !call->force);
}

/*
 * What goes next over this connection; NULL: nothing. The first of several is for what is answered
 * at once: whoever has given up on guests that do not end can still see, and kill, them.
 */
static struct pending *find_next(const struct connection *connection) {
	const struct backend *backend = connection->backend;
	bool quick = backend->count > 1 && connection == &backend->connections[0];
	struct pending *pending;
	TAILQ_FOREACH(pending, &backend->pending, link) {
		if (!quick || !is_slow(door_request_get_call(pending->request))) {
			return pending;
		}
	}
	return NULL;
}

/* Takes the request over. */
static void ask(struct connection *connection, struct door_request *request) {
	int result = invoke(connection->link, door_request_get_call(request));
	if (result < 0) {
		answer(request,
			result == -EOPNOTSUPP ? PORTAL_CALL_UNKNOWN : PORTAL_CALL_UNAVAILABLE,
			strerror(-result));
		return;
	}
	connection->request = request;
}

static void ask_next(struct connection *connection) {
	struct pending *pending;
	while (connection->request == NULL && connection->link != NULL &&
		(pending = find_next(connection)) != NULL) {
		TAILQ_REMOVE(&connection->backend->pending, pending, link);
		ask(connection, pending->request);
		free(pending);
	}
}

static void answer_with(
	struct door_request *request, sd_json_variant *parameters, const char *error) {
	if (error != NULL) {
		const char *text = get_text(parameters, "reason");
		answer(request, error_of(error), text != NULL ? text : error);
	} else if (door_request_get_call(request)->untrusted_method == PORTAL_CALL_LIST) {
		answer_list(request, parameters);
	} else {
		answer(request, PORTAL_CALL_DONE, NULL);
	}
}

static int handle_reply(sd_varlink *link, sd_json_variant *parameters, const char *error,
	sd_varlink_reply_flags_t flags, void *data) {
	struct connection *connection = data;
	struct backend *backend = connection->backend;
	if ((flags & SD_VARLINK_REPLY_LOCAL) != 0) { /* not the other end's: it is gone */
		close_all(backend, "portal-hostd has ended");
		backend->lost(backend->data);
		return 0;
	}
	struct door_request *request = connection->request;
	connection->request = NULL;
	if (request != NULL) {
		answer_with(request, parameters, error);
	}
	ask_next(connection);
	return 0;
}

static int connect_at(struct connection *connection, sd_event *loop, int fd) {
	int result = sd_varlink_connect_fd(&connection->link, fd);
	if (result < 0) {
		close(fd);
		return result;
	}
	sd_varlink_set_userdata(connection->link, connection);
	/* Starting and stopping guests takes as long as it takes. */
	sd_varlink_set_relative_timeout(connection->link, UINT64_MAX);
	result = sd_varlink_bind_reply(connection->link, handle_reply);
	return result < 0
		       ? result
		       : sd_varlink_attach_event(connection->link, loop, SD_EVENT_PRIORITY_NORMAL);
}

struct backend *backend_create(
	sd_event *loop, int first, unsigned count, void (*lost)(void *data), void *data) {
	struct backend *backend = calloc(1, sizeof(*backend));
	int result = backend == NULL ? -ENOMEM : 0;
	if (backend != NULL) {
		TAILQ_INIT(&backend->pending);
		backend->lost = lost;
		backend->data = data;
		backend->count = count;
	}
	for (unsigned i = 0; i < count; i++) {
		int fd = first + (int)i;
		if (result < 0) {
			close(fd);
			continue;
		}
		backend->connections[i].backend = backend;
		result = connect_at(&backend->connections[i], loop, fd);
	}
	if (result < 0) {
		backend_destroy(backend);
		errno = -result;
		return NULL;
	}
	return backend;
}

void backend_destroy(struct backend *backend) {
	if (backend != NULL) {
		close_all(backend, "the door is closing");
		free(backend);
	}
}

void backend_call(struct backend *backend, struct door_request *request) {
	struct pending *pending = calloc(1, sizeof(*pending));
	if (pending == NULL || backend->connections[0].link == NULL) {
		free(pending);
		answer(request, PORTAL_CALL_UNAVAILABLE, "portal-hostd is not there");
		return;
	}
	pending->request = request;
	TAILQ_INSERT_TAIL(&backend->pending, pending, link);
	for (unsigned i = 0; i < backend->count; i++) {
		ask_next(&backend->connections[i]);
	}
}

void backend_forget(struct backend *backend, struct door_request *request) {
	struct pending *pending = TAILQ_FIRST(&backend->pending);
	while (pending != NULL && pending->request != request) {
		pending = TAILQ_NEXT(pending, link);
	}
	if (pending != NULL) {
		TAILQ_REMOVE(&backend->pending, pending, link);
		free(pending);
		answer(request, PORTAL_CALL_FAILED, "who asked has gone");
	}
}
