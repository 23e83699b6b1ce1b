#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channel-impl.h"
#include "printable.h"

static bool prepare_name(char out[PORTAL_NAME_MAX + 1], const char *name) {
	size_t length = name != NULL ? strlen(name) : 0;
	if (length > PORTAL_NAME_MAX || !portal_printable_is(name, length)) {
		return false;
	}
	memcpy(out, length > 0 ? name : "", length);
	return true;
}

static int init_local(
	struct portal_channel *channel, const struct portal_channel_options *options) {
	struct portal_hello *local = &channel->local;
	if (!prepare_name(local->name, options->name) ||
		!prepare_name(local->software, options->software)) {
		errno = EINVAL;
		return -1;
	}
	if (options->key == NULL && portal_transport_needs_key(&channel->transport->address)) {
		errno = ENOKEY;
		return -1;
	}
	local->role = options->role;
	local->version_min = options->version_min != 0 ? options->version_min : PORTAL_VERSION_MIN;
	local->version_max = options->version_max != 0 ? options->version_max : PORTAL_VERSION_MAX;
	local->features = options->features & ~(uint64_t)PORTAL_FEATURE_HEAP_FD;
	local->heap = options->heap;
	local->needs_key = options->key != NULL;
	memcpy(local->session, options->session, sizeof(local->session));
	if (options->key != NULL) {
		channel->has_key = true;
		memcpy(channel->key, options->key, PORTAL_KEY_SIZE);
	}
	if (options->heap_fd >= 0 && channel->transport->can_pass_fd) {
		channel->heap_fd = fcntl(options->heap_fd, F_DUPFD_CLOEXEC, 0);
		if (channel->heap_fd < 0) {
			return -1;
		}
		local->features |= PORTAL_FEATURE_HEAP_FD;
	}
	if (options->boot_id != NULL) {
		memcpy(local->boot_id, options->boot_id, sizeof(local->boot_id));
		return 0;
	}
	return portal_hello_get_boot_id(local->boot_id);
}

static void close_fd(int *fd) {
	if (*fd >= 0) {
		close(*fd);
		*fd = -1;
	}
}

static void channel_free(struct portal_channel *channel) {
	if (channel->transport != NULL && channel->transport->persistent && channel->input.map) {
		portal_transport_unread(channel->transport,
			portal_ring_at(&channel->input, channel->input.tail),
			portal_ring_used(&channel->input));
	}
	portal_transport_destroy(channel->transport);
	portal_ring_finish(&channel->input);
	portal_ring_finish(&channel->output);
	close_fd(&channel->heap_fd);
	close_fd(&channel->received_fd);
	sodium_memzero(channel->key, sizeof(channel->key));
	free(channel);
}

struct portal_channel *portal_channel_create(struct portal_transport *transport,
	const struct portal_channel_options *options,
	const struct portal_channel_handlers *handlers, void *data) {
	struct portal_channel *channel = calloc(1, sizeof(*channel));
	if (channel == NULL) {
		portal_transport_destroy(transport);
		return NULL;
	}
	channel->transport = transport;
	channel->handlers = *handlers;
	channel->data = data;
	channel->heap_fd = channel->received_fd = -1;
	channel->last_events = -1;
	size_t queue_size =
		options->queue_size != 0 ? options->queue_size : PORTAL_CHANNEL_QUEUE_DEFAULT;
	/* a largest frame, what a greeting takes, and BYE */
	queue_size = queue_size > 3 * PORTAL_FRAME_MAX ? queue_size : 3 * PORTAL_FRAME_MAX;
	if (sodium_init() < 0 || portal_ring_init(&channel->input, CHANNEL_INPUT_SIZE) < 0 ||
		portal_ring_init(&channel->output, queue_size) < 0 ||
		init_local(channel, options) < 0 ||
		portal_channel_greeting_init(channel, options) < 0) {
		int error = errno;
		channel_free(channel);
		errno = error;
		return NULL;
	}
	/* A greeting waits for the first POLLOUT; who has none to send would be told of it for
	 * ever. */
	channel->blocked = portal_ring_used(&channel->output) > 0;
	return channel;
}

static void update_events(struct portal_channel *channel) {
	short events = portal_channel_get_events(channel);
	if (events != channel->last_events) {
		channel->last_events = events;
		if (channel->events_handler != NULL) {
			channel->events_handler(channel->data, events);
		}
	}
}

/* The end of each call from outside that runs handlers: tell the end, free what was destroyed. */
static int leave(struct portal_channel *channel) {
	if (channel->depth == 1 && channel->state == PORTAL_CHANNEL_CLOSED && !channel->end_told &&
		!channel->destroyed) {
		channel->end_told = true;
		if (channel->handlers.closed != NULL) {
			channel->handlers.closed(channel->data, &channel->end);
		}
	}
	channel->depth--;
	bool closed = channel->state == PORTAL_CHANNEL_CLOSED;
	if (channel->depth == 0 && channel->destroyed) {
		channel_free(channel);
		return -1;
	}
	if (channel->depth == 0) {
		update_events(channel);
	}
	return closed ? -1 : 0;
}

void portal_channel_destroy(struct portal_channel *channel) {
	if (channel == NULL) {
		return;
	}
	if (channel->depth > 0) {
		channel->destroyed = true;
		channel->state = PORTAL_CHANNEL_CLOSED;
		return;
	}
	channel_free(channel);
}

int portal_channel_get_fd(const struct portal_channel *channel) {
	return portal_transport_get_fd(channel->transport);
}

short portal_channel_get_events(struct portal_channel *channel) {
	if (channel->state == PORTAL_CHANNEL_CLOSED) {
		return 0;
	}
	short wanted = 0;
	if (!channel->paused) {
		wanted |= POLLIN;
	}
	if (channel->blocked || channel->resumed) {
		wanted |= POLLOUT;
	}
	return portal_transport_get_events(channel->transport, wanted);
}

void portal_channel_set_events_handler(
	struct portal_channel *channel, void (*handler)(void *data, short events)) {
	channel->events_handler = handler;
	channel->last_events = portal_channel_get_events(channel);
}

static void close_with(
	struct portal_channel *channel, enum portal_bye_reason reason, bool by_peer) {
	channel->state = PORTAL_CHANNEL_CLOSED;
	channel->end = (struct portal_channel_end){
		.reason = reason,
		.by_peer = by_peer,
		.text = channel->end_text,
	};
}

void portal_channel_end_by_peer(
	struct portal_channel *channel, enum portal_bye_reason reason, const char *text) {
	if (channel->state != PORTAL_CHANNEL_CLOSED) {
		portal_printable_copy(
			channel->end_text, sizeof(channel->end_text), text, strlen(text));
		close_with(channel, reason, true);
	}
}

static void queue_bye(struct portal_channel *channel, enum portal_bye_reason reason) {
	const struct portal_frame_bye bye = {.reason = reason};
	size_t length = strlen(channel->end_text);
	uint8_t *payload =
		portal_channel_begin_any(channel, PORTAL_FRAME_BYE, 0, sizeof(bye) + length, 0);
	if (payload != NULL) {
		memcpy(payload, &bye, sizeof(bye));
		memcpy(payload + sizeof(bye), channel->end_text, length);
		portal_channel_end(channel, 0, sizeof(bye) + length);
	}
}

/* How much to write next, and which descriptor goes with it. */
static size_t next_piece(const struct portal_channel *channel, int *fd) {
	size_t size = portal_ring_used(&channel->output);
	*fd = -1;
	if (channel->heap_fd >= 0 && channel->output.tail < channel->heap_fd_at) {
		uint64_t before = channel->heap_fd_at - channel->output.tail;
		return before < size ? (size_t)before : size;
	}
	*fd = channel->heap_fd;
	return size;
}

/*
 * A stream that takes no more may still hold what the other end said before it went, which explains
 * more than EPIPE: forget the output and let reading find the end.
 */
static void lose_output(struct portal_channel *channel, int error) {
	channel->output_error = error;
	channel->output.tail = channel->output.head;
	channel->resumed = true;
}

static void write_queued(struct portal_channel *channel) {
	struct portal_ring *output = &channel->output;
	channel->blocked = false;
	while (portal_ring_used(output) > 0 && channel->output_error == 0 && !channel->blocked) {
		int fd;
		size_t size = next_piece(channel, &fd);
		ssize_t written = portal_transport_write(
			channel->transport, portal_ring_at(output, output->tail), size, fd);
		channel->counters.writes++;
		if (written < 0 && errno == EINTR) {
			continue;
		}
		if (written < 0 && errno != EAGAIN) {
			lose_output(channel, errno);
			return;
		}
		if (written >= 0 && fd >= 0) {
			close_fd(&channel->heap_fd);
		}
		size_t done = written > 0 ? (size_t)written : 0;
		output->tail += done;
		channel->counters.bytes_sent += done;
		channel->blocked = done < size;
	}
}

void portal_channel_fail(
	struct portal_channel *channel, enum portal_bye_reason reason, const char *format, ...) {
	if (channel->state == PORTAL_CHANNEL_CLOSED) {
		return;
	}
	channel->depth++;
	va_list args;
	va_start(args, format);
	vsnprintf(channel->end_text, sizeof(channel->end_text), format, args);
	va_end(args);
	/* What the other end sent may be part of it. */
	portal_printable_copy(channel->end_text, sizeof(channel->end_text), channel->end_text,
		strlen(channel->end_text));
	/* Without a HELLO before it the other end would not understand. */
	if (channel->local.role == PORTAL_ROLE_CONTROLLER ||
		channel->greeting >= CHANNEL_WAIT_PROOF) {
		queue_bye(channel, reason);
		write_queued(channel);
	}
	close_with(channel, reason, false);
	leave(channel);
}

/*
 * A port of a guest says that its host went away, and soon after that another came, by a way of its
 * own, which the bytes of the one that came can overtake. Then it is the new one's greeting that
 * was cut off, and it waits for an answer: the next stream asks for it again.
 */
static void note_unheard(struct portal_channel *channel) {
	channel->transport->unheard = channel->transport->persistent &&
				      channel->greeting != CHANNEL_GREETED &&
				      channel->counters.bytes_received > 0;
}

void portal_channel_lose_stream(struct portal_channel *channel, int error) {
	char text[PORTAL_BYE_TEXT_MAX];
	note_unheard(channel);
	/* Which of these it is depends on what was under way: one text, so that a log can tell
	 * news. */
	bool closed = error == 0 || error == ECONNRESET || error == EPIPE;
	snprintf(text, sizeof(text), "%s: %s", portal_transport_get_name(channel->transport),
		closed ? "the other end closed the stream" : strerror(error));
	portal_channel_end_by_peer(channel, PORTAL_BYE_FAILURE, text);
}

static void flush_queued(struct portal_channel *channel) {
	write_queued(channel);
	if (channel->regreet && portal_ring_used(&channel->output) == 0) {
		portal_channel_greeting_queue(channel);
		write_queued(channel);
	}
	if (channel->starved && portal_ring_free(&channel->output) >= channel->output.size / 2) {
		channel->starved = false;
		if (channel->handlers.writable != NULL) {
			channel->handlers.writable(channel->data);
		}
	}
}

int portal_channel_flush(struct portal_channel *channel) {
	channel->depth++;
	if (channel->state != PORTAL_CHANNEL_CLOSED && !channel->blocked) {
		flush_queued(channel);
	}
	return leave(channel);
}

int portal_channel_dispatch(struct portal_channel *channel, short revents) {
	if (channel->state == PORTAL_CHANNEL_CLOSED) {
		return -1;
	}
	channel->depth++;
	if (channel->resumed && !channel->paused) {
		channel->resumed = channel->output_error != 0;
		portal_channel_take_input(channel);
	}
	if (channel->state == PORTAL_CHANNEL_CLOSED) {
		return leave(channel);
	}
	if (channel->paused) {
		if ((revents & (POLLHUP | POLLERR)) != 0 || channel->output_error != 0) {
			portal_channel_lose_stream(channel, channel->output_error);
		}
	} else if (channel->transport->persistent || revents != POLLOUT ||
		   channel->output_error != 0) {
		portal_channel_read(channel);
	}
	if (channel->state != PORTAL_CHANNEL_CLOSED &&
		(channel->regreet || portal_ring_used(&channel->output) > 0)) {
		flush_queued(channel);
	}
	return leave(channel);
}

enum portal_channel_state portal_channel_get_state(const struct portal_channel *channel) {
	return channel->state;
}

const struct portal_hello *portal_channel_get_peer(const struct portal_channel *channel) {
	return channel->greeting == CHANNEL_GREETED ? &channel->peer : NULL;
}

uint32_t portal_channel_get_version(const struct portal_channel *channel) {
	return channel->greeting == CHANNEL_GREETED ? channel->version : 0;
}

uint64_t portal_channel_get_features(const struct portal_channel *channel) {
	return channel->greeting == CHANNEL_GREETED ? channel->features : 0;
}

void portal_channel_set_paused(struct portal_channel *channel, bool paused) {
	if (channel->paused == paused) {
		return;
	}
	channel->paused = paused;
	if (!paused) {
		channel->resumed = true;
		portal_transport_rearm(channel->transport);
	}
	if (channel->depth == 0) {
		update_events(channel);
	}
}

struct portal_channel_counters portal_channel_get_counters(const struct portal_channel *channel) {
	return channel->counters;
}
