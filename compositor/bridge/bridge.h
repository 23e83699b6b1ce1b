#ifndef BRIDGE_BRIDGE_H
#define BRIDGE_BRIDGE_H

#include <systemd/sd-event.h>

#include "channel.h"
#include "compositor.h"
#include "connections.h"
#include "control.h"
#include "heap.h"
#include "launches.h"
#include "log.h"
#include "options.h"
#include "quota.h"
#include "shadow.h"

/* One guest, from waiting for its agent to the end of its channel. */
struct bridge {
	const struct bridge_options *options;
	struct bridge_log log;
	sd_event *event;
	struct bridge_control control;
	struct bridge_launches launches;
	struct bridge_compositor compositor;
	struct bridge_connections connections;
	struct portal_quota quota;
	struct portal_channel *channel; /* NULL before the transport is there, and after the end */
	struct portal_heap heap;
	struct bridge_shadow shadow; /* of a heap that is slow to read */
	bool heap_mapped; /* heap is to be finished */
	bool heap_ready; /* it is the one the agent speaks of */
	uint8_t boot_id[16]; /* of this machine */
	/* as the agent said last; numbers for people, nothing is decided by them */
	struct bridge_stats {
		uint64_t heap_used; /* bytes, at most the heap's size */
		uint64_t frames, damaged_pixels, copied_pixels;
	} stats;
	sd_event_source *channel_source, *compositor_source, *retry_source, *throttle_source;
	unsigned int retries;
	int broker_fd; /* to the process that started this one; see broker.h */
	bool throttled;
	bool stopped;
	enum bridge_status status; /* to exit with, or why the last attempt failed */
	char message[PORTAL_BYE_TEXT_MAX + 1]; /* a line about it, "" for none */
};

/* How an earlier attempt to serve the guest ended. */
struct bridge_outcome {
	bool any; /* there was one */
	enum bridge_status status;
	char message[PORTAL_BYE_TEXT_MAX + 1]; /* a line about it, "" for none */
};

/* What an attempt begins with. */
struct bridge_begin {
	const struct bridge_options *options;
	int control_fd; /* the listening control socket */
	int broker_fd;
	struct bridge_compositor compositor; /* of which it keeps the watch */
	struct bridge_outcome last; /* of the attempt before */
};

/*
 * Serves one guest: waits for heap and transport where the options say so, confines the process,
 * and runs until the channel ends. Takes over the descriptors of begin. message receives why it
 * ended. Returns the status to exit with.
 */
enum bridge_status bridge_run(const struct bridge_begin *begin, char *message, size_t message_size);

/* With --wait: whether another attempt may go better. */
static inline bool bridge_is_passing(enum bridge_status status) {
	return status == BRIDGE_UNREACHABLE || status == BRIDGE_LOST || status == BRIDGE_HEAP;
}

/* Logs a line and ends the loop with this status; only the first time counts. */
void bridge_stop(struct bridge *bridge, enum bridge_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The agent has proved itself, and the heap is there. */
bool bridge_is_ready(const struct bridge *bridge);

/* Pauses the channel, or lets it go on, as congestion and rate demand. */
void bridge_update_paused(struct bridge *bridge);

/* Not to read from the guest for so long. */
void bridge_throttle(struct bridge *bridge, uint64_t nanoseconds);

/*
 * bridge_channel.c: makes the channel over a transport, which it takes over; nothing is read before
 * the loop runs. -1 with errno.
 */
int bridge_channel_open(struct bridge *bridge, struct portal_transport *transport);
void bridge_channel_close(struct bridge *bridge);

#endif
