#include "door/door.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <syslog.h>
#include <unistd.h>

#include "base/limit.h"

/* Whoever connects and says nothing must not keep out the one that has the key. */
#define SESSIONS_MAX 8
/* Calls that wait for an answer; a portal-run has one at a time. */
#define REQUESTS_MAX 32
/* Calls, of which each can cost the host a process and a line in its log; and lines in this one. */
#define CALLS_AT_ONCE 64
#define CALLS_INTERVAL 500000 /* µs */
#define LINES_AT_ONCE 16
#define LINES_INTERVAL 10000000 /* µs */

struct session {
	struct door *door;
	struct portal_channel *channel;
	sd_event_source *source;
	bool ready;
	bool flooded; /* that it calls too often has been said */
	TAILQ_ENTRY(session) link; /* door.sessions, oldest first */
};

struct door_request {
	struct door *door; /* NULL: gone */
	struct session *session; /* NULL: gone, nobody waits for the answer */
	uint32_t id;
	struct door_call call;
	TAILQ_ENTRY(door_request) link; /* door.requests */
};

struct door {
	sd_event *loop;
	struct portal_transport_listener *listener;
	sd_event_source *source; /* the listener */
	struct door_handlers handlers;
	void *data;
	char name[PORTAL_NAME_MAX + 1];
	bool has_key;
	uint8_t key[PORTAL_KEY_SIZE];
	uint8_t session_id[16], boot_id[16];
	TAILQ_HEAD(, session) sessions;
	size_t sessions_count;
	TAILQ_HEAD(, door_request) requests;
	size_t requests_count;
	struct limit calls, lines;
	unsigned lines_left_out;
};

static bool take(const struct door *door, struct limit *limit) {
	uint64_t now;
	return sd_event_now(door->loop, CLOCK_MONOTONIC, &now) >= 0 && limit_take(limit, now);
}

/* A controller has no say in how much is written. */
static void __attribute__((format(printf, 3, 4))) say(
	struct door *door, int priority, const char *format, ...) {
	char text[PORTAL_BYE_TEXT_MAX + 64];
	va_list args;
	if (priority < LOG_DEBUG && !take(door, &door->lines)) {
		door->lines_left_out++;
		return;
	}
	va_start(args, format);
	int length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (priority < LOG_DEBUG && door->lines_left_out > 0 && length >= 0 &&
		(size_t)length < sizeof(text)) {
		snprintf(text + length, sizeof(text) - (size_t)length,
			" (%u lines before this one were left out)", door->lines_left_out);
		door->lines_left_out = 0;
	}
	door->handlers.log(door->data, priority, text);
}

static void forget(struct door *door, struct door_request *request) {
	if (door->handlers.forgotten != NULL) {
		door->handlers.forgotten(door->data, request);
	}
}

static void session_destroy(struct session *session) {
	struct door *door = session->door;
	struct door_request *request, *next;
	for (request = TAILQ_FIRST(&door->requests); request != NULL; request = next) {
		next = TAILQ_NEXT(request, link);
		if (request->session == session) {
			request->session = NULL;
			forget(door, request);
		}
	}
	TAILQ_REMOVE(&door->sessions, session, link);
	door->sessions_count--;
	sd_event_source_disable_unref(session->source);
	portal_channel_destroy(session->channel);
	free(session);
}

static void handle_ready(void *data, const struct portal_hello *peer, int heap_fd) {
	struct session *session = data;
	if (heap_fd >= 0) {
		close(heap_fd); /* a caller's over unix:, which has no business with it here */
	}
	session->ready = true;
	if ((portal_channel_get_features(session->channel) & PORTAL_FEATURE_DOOR) == 0) {
		portal_channel_fail(session->channel, PORTAL_BYE_VIOLATION,
			"this is the host's door, not an agent");
		return;
	}
	say(session->door, LOG_DEBUG, "\"%s\" (%s) asks", peer->name, peer->software);
}

static void handle_closed(void *data, const struct portal_channel_end *end) {
	struct session *session = data;
	bool usual = end->by_peer && end->reason != PORTAL_BYE_VIOLATION &&
		     end->reason != PORTAL_BYE_AUTH && end->reason != PORTAL_BYE_VERSION;
	say(session->door, usual ? LOG_DEBUG : LOG_WARNING, "%s", end->text);
	session_destroy(session);
}

static bool is_about_a_guest(uint32_t method) {
	return method != PORTAL_CALL_LIST;
}

static struct door_request *request_create(struct session *session, uint32_t id) {
	struct door *door = session->door;
	if (door->requests_count >= REQUESTS_MAX) {
		return NULL;
	}
	struct door_request *request = calloc(1, sizeof(*request));
	if (request != NULL) {
		request->door = door;
		request->session = session;
		request->id = id;
		TAILQ_INSERT_TAIL(&door->requests, request, link);
		door->requests_count++;
	}
	return request;
}

static void refuse(struct session *session, uint32_t id, const char *text) {
	if (portal_channel_send_answer(session->channel, id, PORTAL_CALL_REFUSED, NULL, 0, text) <
		0) {
		portal_channel_fail(session->channel, PORTAL_BYE_QUOTA,
			"too many calls, and none of the answers was read");
	}
}

static void handle_call(void *data, uint32_t id, const struct portal_frame_call *untrusted_call,
	const char *guest) {
	struct session *session = data;
	if (is_about_a_guest(untrusted_call->method) == (guest[0] == '\0')) {
		portal_channel_fail(session->channel, PORTAL_BYE_VIOLATION,
			"CALL (id %u): method %u %s", id, untrusted_call->method,
			guest[0] == '\0' ? "without a guest" : "is about no guest");
		return;
	}
	if (!take(session->door, &session->door->calls)) {
		if (!session->flooded) {
			say(session->door, LOG_WARNING, "calls too often: refused");
		}
		session->flooded = true;
		refuse(session, id, "too many calls: wait a moment");
		return;
	}
	struct door_request *request = request_create(session, id);
	if (request == NULL) {
		refuse(session, id, "too many calls at once");
		return;
	}
	request->call.untrusted_method = untrusted_call->method;
	request->call.force = (untrusted_call->flags & PORTAL_CALL_FLAG_FORCE) != 0;
	request->call.untrusted_value = untrusted_call->value;
	memcpy(request->call.guest, guest, strlen(guest));
	session->door->handlers.call(session->door->data, request);
}

static const struct portal_channel_handlers channel_handlers = {
	.ready = handle_ready,
	.closed = handle_closed,
	.call = handle_call,
};

const struct door_call *door_request_get_call(const struct door_request *request) {
	return &request->call;
}

void door_request_answer(struct door_request *request, enum portal_call_error error,
	const struct portal_frame_guest *guests, size_t count, const char *text) {
	struct session *session = request->session;
	if (request->door != NULL) {
		TAILQ_REMOVE(&request->door->requests, request, link);
		request->door->requests_count--;
	}
	if (session != NULL) {
		if (portal_channel_send_answer(
			    session->channel, request->id, error, guests, count, text) < 0) {
			/* It does not read: its queue, of many answers, is full. */
			portal_channel_fail(
				session->channel, PORTAL_BYE_QUOTA, "answers are not read");
		} else {
			portal_channel_flush(session->channel);
		}
	}
	free(request);
}

static int handle_stream(sd_event_source *source, int fd, uint32_t revents, void *data) {
	struct session *session = data;
	portal_channel_dispatch(session->channel, (short)revents);
	return 0;
}

static void handle_events(void *data, short events) {
	struct session *session = data;
	sd_event_source_set_io_events(session->source, (uint32_t)events);
}

static_assert(
	POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLHUP == EPOLLHUP && POLLERR == EPOLLERR,
	"sd-event's events are poll's");

static struct portal_channel *open_channel(
	struct session *session, struct portal_transport *transport) {
	struct door *door = session->door;
	struct portal_channel_options options = {
		.role = PORTAL_ROLE_GUEST, /* the end that listens */
		.name = door->name,
		.software = "portal-door " PORTAL_VERSION,
		.features = PORTAL_FEATURE_DOOR,
		.heap_fd = -1,
		.key = door->has_key ? door->key : NULL,
		.boot_id = door->boot_id,
	};
	memcpy(options.session, door->session_id, sizeof(options.session));
	return portal_channel_create(transport, &options, &channel_handlers, session);
}

static int session_create(struct door *door, struct portal_transport *transport) {
	struct session *session = calloc(1, sizeof(*session));
	if (session == NULL) {
		portal_transport_destroy(transport);
		return -ENOMEM;
	}
	session->door = door;
	session->channel = open_channel(session, transport);
	if (session->channel == NULL) {
		int error = errno;
		free(session);
		return -error;
	}
	TAILQ_INSERT_TAIL(&door->sessions, session, link);
	door->sessions_count++;
	int result = sd_event_add_io(door->loop, &session->source,
		portal_channel_get_fd(session->channel),
		(uint32_t)portal_channel_get_events(session->channel), handle_stream, session);
	if (result < 0) {
		session_destroy(session);
		return result;
	}
	portal_channel_set_events_handler(session->channel, handle_events);
	return 0;
}

static void drop_oldest(struct door *door) {
	struct session *session;
	TAILQ_FOREACH(session, &door->sessions, link) {
		if (!session->ready) {
			portal_channel_fail(session->channel, PORTAL_BYE_QUOTA,
				"too many connections without a greeting");
			return;
		}
	}
	session = TAILQ_FIRST(&door->sessions);
	portal_channel_fail(session->channel, PORTAL_BYE_QUOTA, "too many connections");
}

static int handle_connection(sd_event_source *source, int fd, uint32_t revents, void *data) {
	struct door *door = data;
	struct portal_transport *transport = portal_transport_accept(door->listener);
	if (transport == NULL) {
		if (errno != EAGAIN) {
			door->handlers.lost(door->data, errno);
		}
		return 0;
	}
	if (door->sessions_count >= SESSIONS_MAX) {
		drop_oldest(door);
	}
	int result = session_create(door, transport);
	if (result < 0) {
		say(door, LOG_ERR, "cannot greet the controller: %s", strerror(-result));
	}
	return 0;
}

struct door *door_create(sd_event *loop, const struct door_options *options,
	const struct door_handlers *handlers, void *data) {
	struct door *door = calloc(1, sizeof(*door));
	if (door == NULL) {
		portal_transport_listener_destroy(options->listener);
		return NULL;
	}
	door->loop = sd_event_ref(loop);
	door->listener = options->listener;
	portal_transport_listener_seal(door->listener);
	door->handlers = *handlers;
	door->data = data;
	door->calls = (struct limit){.most = CALLS_AT_ONCE, .interval = CALLS_INTERVAL};
	door->lines = (struct limit){.most = LINES_AT_ONCE, .interval = LINES_INTERVAL};
	TAILQ_INIT(&door->sessions);
	TAILQ_INIT(&door->requests);
	snprintf(door->name, sizeof(door->name), "%s", options->name);
	if (options->key != NULL) {
		door->has_key = true;
		memcpy(door->key, options->key, sizeof(door->key));
	}
	int result = -EIO;
	if (sodium_init() >= 0 && portal_hello_get_boot_id(door->boot_id) == 0 &&
		getrandom(door->session_id, sizeof(door->session_id), 0) ==
			(ssize_t)sizeof(door->session_id)) {
		result = sd_event_add_io(loop, &door->source,
			portal_transport_listener_get_fd(door->listener), EPOLLIN,
			handle_connection, door);
	}
	if (result < 0) {
		door_destroy(door);
		errno = -result;
		return NULL;
	}
	return door;
}

void door_destroy(struct door *door) {
	if (door == NULL) {
		return;
	}
	while (!TAILQ_EMPTY(&door->sessions)) {
		session_destroy(TAILQ_FIRST(&door->sessions));
	}
	struct door_request *request;
	while ((request = TAILQ_FIRST(&door->requests)) != NULL) {
		TAILQ_REMOVE(&door->requests, request, link);
		request->door = NULL;
	}
	sd_event_source_disable_unref(door->source);
	portal_transport_listener_destroy(door->listener);
	explicit_bzero(door->key, sizeof(door->key));
	sd_event_unref(door->loop);
	free(door);
}
