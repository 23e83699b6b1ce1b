#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "heap.h"
#include "printable.h"
#include "quota.h"
#include "relay-impl.h"

/* The guest's end does not read its client while so much waits for the channel. */
#define CLIENT_BACKLOG_MAX 65536

static int set_nonblocking(int fd) {
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

struct portal_relay *portal_relay_create(const struct portal_relay_options *options,
	const struct portal_relay_handlers *handlers, void *data) {
	struct portal_relay *relay = calloc(1, sizeof(*relay));
	if (!relay) {
		close(options->fd);
		errno = ENOMEM;
		return NULL;
	}
	relay->options = *options;
	relay->options.name = NULL;
	relay->handlers = *handlers;
	relay->data = data;
	relay->fd = options->fd;
	relay->blob_fd = -1;
	relay->events = POLLIN;
	if (relay->options.backlog_max == 0) {
		relay->options.backlog_max = PORTAL_RELAY_BACKLOG;
	}
	struct portal_quota *quota = options->quota;
	if (quota && !portal_quota_take(quota, PORTAL_QUOTA_CONNECTIONS, 1)) {
		relay->options.quota = NULL; /* nothing to give back */
		portal_relay_destroy(relay);
		errno = EDQUOT;
		return NULL;
	}
	const struct portal_heap *heap = options->heap;
	relay->wire = portal_wire_create(
		heap ? portal_heap_get_pool_size(heap) : 0, heap ? (uint32_t)heap->base : 0, quota);
	if (!relay->wire || set_nonblocking(relay->fd) < 0) {
		int error = errno;
		portal_relay_destroy(relay);
		errno = error;
		return NULL;
	}
	if (options->guest && portal_channel_send_connect(
				      options->channel, options->connection, options->name) < 0) {
		/* Without room the name is lost, which is for logs only. */
		relay->connect_pending = true;
	}
	return relay;
}

void portal_relay_destroy(struct portal_relay *relay) {
	if (!relay) {
		return;
	}
	if (relay->destroyed) {
		*relay->destroyed = true;
	}
	portal_relay_close_input(relay);
	portal_relay_close_output(relay);
	portal_queue_finish(&relay->backlog);
	free(relay->untrusted_held);
	portal_wire_destroy(relay->wire);
	if (relay->options.quota) {
		portal_quota_give(relay->options.quota, PORTAL_QUOTA_CONNECTIONS, 1);
	}
	if (relay->fd >= 0) {
		close(relay->fd);
	}
	free(relay);
}

void portal_relay_set_ended(
	struct portal_relay *relay, enum portal_relay_end end, const char *format, ...) {
	if (relay->ended) {
		return;
	}
	relay->ended = true;
	relay->end = end;
	va_list args;
	va_start(args, format);
	vsnprintf(relay->text, sizeof(relay->text), format, args);
	va_end(args);

	portal_relay_close_input(relay);
	portal_relay_close_output(relay);
	close(relay->fd);
	relay->fd = -1;
	/* What the socket's end said last is passed on: a compositor's reason is worth reading. */
	if (end != PORTAL_RELAY_SOCKET_CLOSED) {
		portal_queue_finish(&relay->backlog);
	}
	relay->disconnect_pending = true;
	portal_relay_send(relay);
}

void portal_relay_reject(
	struct portal_relay *relay, enum portal_wire_verdict verdict, bool from_socket) {
	enum portal_relay_end end = verdict == PORTAL_WIRE_REFUSE ? PORTAL_RELAY_QUOTA
				    : from_socket		  ? PORTAL_RELAY_SOCKET_VIOLATION
								  : PORTAL_RELAY_CHANNEL_VIOLATION;
	portal_relay_set_ended(relay, end, "%s", portal_wire_error(relay->wire));
}

int portal_relay_get_fd(const struct portal_relay *relay) {
	return relay->fd;
}

short portal_relay_get_events(const struct portal_relay *relay) {
	short events = 0;
	if (relay->fd < 0) {
		return 0;
	}
	if (!relay->options.guest || portal_queue_size(&relay->backlog) < CLIENT_BACKLOG_MAX) {
		events |= POLLIN;
	}
	if (portal_queue_size(&relay->output) > 0) {
		events |= POLLOUT;
	}
	return events;
}

unsigned int portal_relay_get_windows(const struct portal_relay *relay) {
	return relay->ended ? 0 : portal_wire_count_toplevels(relay->wire);
}

struct portal_relay_counters portal_relay_get_counters(const struct portal_relay *relay) {
	return relay->counters;
}

void portal_relay_enter(struct portal_relay *relay, bool *destroyed) {
	*destroyed = false;
	relay->destroyed = destroyed;
}

void portal_relay_leave(struct portal_relay *relay, bool *destroyed) {
	short events = portal_relay_get_events(relay);
	if (events != relay->events) {
		relay->events = events;
		if (relay->handlers.events) {
			relay->handlers.events(relay->data, events);
		}
	}
	if (relay->ended && !relay->ended_told) {
		relay->ended_told = true;
		relay->handlers.ended(relay->data, relay->end, relay->text);
		if (*destroyed) {
			return;
		}
	}
	bool released = relay->disconnect_sent && relay->disconnect_received;
	if (released && !relay->released_told) {
		relay->released_told = true;
		relay->handlers.released(relay->data);
		if (*destroyed) {
			return;
		}
	}
	relay->destroyed = NULL;
}

void portal_relay_dispatch(struct portal_relay *relay, short revents) {
	bool destroyed;
	portal_relay_enter(relay, &destroyed);
	if (relay->fd >= 0 && (revents & POLLOUT)) {
		portal_relay_write(relay);
	}
	if (relay->fd >= 0 && (revents & (POLLIN | POLLHUP | POLLERR))) {
		portal_relay_read(relay);
	}
	portal_relay_leave(relay, &destroyed);
}

void portal_relay_wayland(struct portal_relay *relay, const void *untrusted_messages, size_t size) {
	bool destroyed;
	portal_relay_enter(relay, &destroyed);
	portal_relay_put(relay, untrusted_messages, size);
	portal_relay_leave(relay, &destroyed);
}

void portal_relay_resume(struct portal_relay *relay) {
	bool destroyed;
	portal_relay_enter(relay, &destroyed);
	portal_relay_put_held(relay);
	portal_relay_leave(relay, &destroyed);
}

bool portal_relay_is_held(const struct portal_relay *relay) {
	return relay->untrusted_held && !relay->ended;
}

void portal_relay_heap(struct portal_relay *relay) {
	bool destroyed;
	portal_relay_enter(relay, &destroyed);
	portal_relay_put_heap(relay);
	portal_relay_leave(relay, &destroyed);
}

void portal_relay_blob(struct portal_relay *relay, uint64_t untrusted_size,
	uint64_t untrusted_offset, const void *piece, size_t piece_size) {
	bool destroyed;
	portal_relay_enter(relay, &destroyed);
	portal_relay_put_blob(relay, untrusted_size, untrusted_offset, piece, piece_size);
	portal_relay_leave(relay, &destroyed);
}

void portal_relay_writable(struct portal_relay *relay) {
	bool destroyed;
	portal_relay_enter(relay, &destroyed);
	portal_relay_send(relay);
	portal_relay_leave(relay, &destroyed);
}

void portal_relay_end(struct portal_relay *relay, const char *reason) {
	bool destroyed;
	portal_relay_enter(relay, &destroyed);
	portal_relay_set_ended(relay, PORTAL_RELAY_SOCKET_CLOSED, "%s", reason);
	portal_relay_leave(relay, &destroyed);
}

void portal_relay_disconnect(struct portal_relay *relay, const char *untrusted_reason) {
	bool destroyed;
	char reason[200];
	portal_relay_enter(relay, &destroyed);
	if (relay->disconnect_received) {
		portal_relay_set_ended(
			relay, PORTAL_RELAY_CHANNEL_VIOLATION, "the connection was ended twice");
	}
	relay->disconnect_received = true;
	if (relay->fd >= 0) {
		portal_relay_write(relay);
	}
	untrusted_reason = untrusted_reason ? untrusted_reason : "";
	portal_printable_copy(reason, sizeof(reason), untrusted_reason, strlen(untrusted_reason));
	portal_relay_set_ended(relay, PORTAL_RELAY_DISCONNECTED, "%s", reason);
	portal_relay_leave(relay, &destroyed);
}
