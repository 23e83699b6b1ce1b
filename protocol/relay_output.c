/* From the channel to the socket. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "heap.h"
#include "quota.h"
#include "relay-impl.h"
#include "wire-tables.h"

/* Bytes for the socket at which the channel is to pause, and to go on again. */
#define CONGESTED_HIGH (256u << 10)
#define CONGESTED_LOW (64u << 10)

/* Of the rate's plain messages: as many are checked at least before a frame is held back, so that
 * most frames are counted once. A compositor has done their work in a millisecond or two. */
#define SPEND_STEP 512

static void violate(struct portal_relay *relay, const char *text) {
	portal_relay_set_ended(relay, PORTAL_RELAY_CHANNEL_VIOLATION, "%s", text);
}

static void update_congested(struct portal_relay *relay) {
	size_t size = portal_queue_size(&relay->output);
	bool congested = size > (relay->congested ? CONGESTED_LOW : CONGESTED_HIGH);
	if (congested != relay->congested) {
		relay->congested = congested;
		if (relay->handlers.congested) {
			relay->handlers.congested(relay->data, congested);
		}
	}
}

void portal_relay_close_output(struct portal_relay *relay) {
	for (size_t i = 0; i < relay->n_descriptors; i++) {
		close(relay->descriptors[i].fd);
	}
	relay->n_descriptors = 0;
	if (relay->blob_fd >= 0) {
		close(relay->blob_fd);
		relay->blob_fd = -1;
	}
	portal_queue_finish(&relay->output);
	if (relay->ended) {
		update_congested(relay);
	}
}

/*
 * Puts the next descriptors into control, and shortens the message so that it does not reach one
 * whose descriptor has to wait. Returns how many.
 */
static size_t attach_fds(const struct portal_queue *output, struct msghdr *message, void *control) {
	size_t count = output->n_fds;
	if (count > PORTAL_RELAY_MAX_FDS) {
		count = PORTAL_RELAY_MAX_FDS;
		message->msg_iov->iov_len = (size_t)(output->fds[count].at - output->position);
	}
	if (count == 0) {
		return 0;
	}
	message->msg_control = control;
	message->msg_controllen = CMSG_SPACE(count * sizeof(int));
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	assert(header); /* there is room for it */
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(count * sizeof(int));
	for (size_t i = 0; i < count; i++) {
		memcpy(CMSG_DATA(header) + i * sizeof(int), &output->fds[i].fd, sizeof(int));
	}
	return count;
}

/* False when the socket takes nothing more now. */
static bool write_some(struct portal_relay *relay) {
	struct portal_queue *output = &relay->output;
	union {
		char bytes[CMSG_SPACE(PORTAL_RELAY_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iovec = {
		.iov_base = output->data + output->begin,
		.iov_len = portal_queue_size(output),
	};
	struct msghdr message = {.msg_iov = &iovec, .msg_iovlen = 1};
	size_t fds = attach_fds(output, &message, control.bytes);
	ssize_t size;
	do {
		size = sendmsg(relay->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (size < 0 && errno == EINTR);
	if (size < 0 && errno == EAGAIN) {
		return false;
	}
	if (size < 0) {
		/* What the other end said before it went away is still to be read; then it ends. */
		relay->output_broken = true;
		portal_queue_finish(output);
		return false;
	}
	portal_queue_remove_fds(output, fds);
	portal_queue_remove(output, (size_t)size);
	return true;
}

void portal_relay_write(struct portal_relay *relay) {
	while (portal_queue_size(&relay->output) > 0 && write_some(relay)) {
	}
	update_congested(relay);
}

/* Whether any message that comes through the channel can carry such a descriptor. */
static bool can_carry(const struct portal_relay *relay, enum portal_wire_fd_kind kind) {
	for (unsigned int i = 0; i < PORTAL_WIRE_INTERFACES; i++) {
		const struct portal_wire_interface *interface = &portal_wire_interfaces[i];
		bool events = relay->options.guest;
		const struct portal_wire_message *messages =
			events ? interface->events : interface->requests;
		unsigned int n_messages = events ? interface->n_events : interface->n_requests;
		for (unsigned int m = 0; m < n_messages; m++) {
			for (unsigned int a = 0; a < messages[m].n_args; a++) {
				if (messages[m].args[a].fd_kind == kind) {
					return true;
				}
			}
		}
	}
	return false;
}

/* Takes the descriptor over. */
static void add_descriptor(struct portal_relay *relay, enum portal_wire_fd_kind kind, int fd) {
	if (relay->n_descriptors == PORTAL_RELAY_MAX_FDS) {
		close(fd);
		violate(relay, "more descriptors than messages can carry");
		return;
	}
	relay->descriptors[relay->n_descriptors++] =
		(struct portal_relay_descriptor){.kind = (uint8_t)kind, .fd = fd};
}

static bool may_add(struct portal_relay *relay, enum portal_wire_fd_kind kind) {
	if (relay->ended) {
		return false;
	}
	if (relay->blob_fd >= 0 && kind != PORTAL_WIRE_FD_BLOB) {
		violate(relay, "a blob was not completed");
		return false;
	}
	if (!can_carry(relay, kind)) {
		violate(relay, "a descriptor that no message carries");
		return false;
	}
	return true;
}

void portal_relay_put_heap(struct portal_relay *relay) {
	if (!may_add(relay, PORTAL_WIRE_FD_HEAP)) {
		return;
	}
	if (!relay->options.heap) {
		violate(relay, "there is no heap");
		return;
	}
	int fd = fcntl(relay->options.heap->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		portal_relay_set_ended(relay, PORTAL_RELAY_FAILURE, "%s", strerror(errno));
		return;
	}
	add_descriptor(relay, PORTAL_WIRE_FD_HEAP, fd);
}

static bool begin_blob(struct portal_relay *relay, uint64_t untrusted_size) {
	if (untrusted_size > PORTAL_BLOB_MAX) {
		violate(relay, "a blob is too large");
		return false;
	}
	relay->blob_fd = memfd_create("portal-blob", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (relay->blob_fd < 0 || ftruncate(relay->blob_fd, (off_t)untrusted_size) < 0) {
		portal_relay_set_ended(relay, PORTAL_RELAY_FAILURE, "%s", strerror(errno));
		return false;
	}
	relay->blob_size = untrusted_size;
	relay->blob_at = 0;
	return true;
}

static void end_blob(struct portal_relay *relay) {
	int fd = relay->blob_fd;
	relay->blob_fd = -1;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
		close(fd);
		portal_relay_set_ended(relay, PORTAL_RELAY_FAILURE, "%s", strerror(errno));
		return;
	}
	add_descriptor(relay, PORTAL_WIRE_FD_BLOB, fd);
}

void portal_relay_put_blob(struct portal_relay *relay, uint64_t untrusted_size,
	uint64_t untrusted_offset, const void *piece, size_t piece_size) {
	if (!may_add(relay, PORTAL_WIRE_FD_BLOB)) {
		return;
	}
	if (relay->blob_fd < 0 && !begin_blob(relay, untrusted_size)) {
		return;
	}
	if (untrusted_size != relay->blob_size || untrusted_offset != relay->blob_at ||
		piece_size > relay->blob_size - relay->blob_at) {
		violate(relay, "a blob's pieces do not fit together");
		return;
	}
	if (pwrite(relay->blob_fd, piece, piece_size, (off_t)relay->blob_at) !=
		(ssize_t)piece_size) {
		portal_relay_set_ended(relay, PORTAL_RELAY_FAILURE, "no memory for a blob");
		return;
	}
	relay->blob_at += piece_size;
	if (relay->blob_at == relay->blob_size) {
		end_blob(relay);
	}
}

/* Hands a message the descriptors it carries. */
static bool queue_descriptors(
	struct portal_relay *relay, const struct portal_wire_info *info, uint64_t position) {
	if (info->n_fds > relay->n_descriptors) {
		violate(relay, "a descriptor is missing");
		return false;
	}
	for (unsigned int i = 0; i < info->n_fds; i++) {
		if (relay->descriptors[i].kind != info->fd_kinds[i]) {
			violate(relay, "a descriptor is of another kind than its message carries");
			return false;
		}
	}
	for (unsigned int i = 0; i < info->n_fds; i++) {
		struct portal_relay_descriptor descriptor = relay->descriptors[0];
		relay->n_descriptors--;
		memmove(relay->descriptors, relay->descriptors + 1,
			relay->n_descriptors * sizeof(descriptor));
		if (portal_queue_add_fd(&relay->output, position, descriptor.fd) < 0) {
			portal_relay_set_ended(relay, PORTAL_RELAY_FAILURE, "out of memory");
			return false;
		}
	}
	return true;
}

/* Checks one message, which is copied to the output first: the check may rewrite it. Returns what
 * it costs. */
static uint32_t put_message(
	struct portal_relay *relay, const void *untrusted_message, size_t size) {
	uint8_t *message = portal_queue_reserve(&relay->output, size);
	if (!message) {
		portal_relay_set_ended(relay, PORTAL_RELAY_FAILURE, "out of memory");
		return 1;
	}
	memcpy(message, untrusted_message, size);
	struct portal_wire_info info;
	bool guest = relay->options.guest;
	enum portal_wire_verdict verdict =
		guest ? portal_wire_event(relay->wire, message, size, &info)
		      : portal_wire_request(relay->wire, message, size, &info);
	if (verdict == PORTAL_WIRE_HIDE) {
		return 1;
	}
	if (verdict != PORTAL_WIRE_PASS) {
		portal_relay_reject(relay, verdict, false);
		return 1;
	}
	if (guest) {
		relay->counters.events++;
	} else {
		relay->counters.requests++;
	}
	if (!guest && relay->handlers.request &&
		!relay->handlers.request(relay->data, &info, message, size)) {
		portal_relay_set_ended(relay, PORTAL_RELAY_FAILURE, "out of memory");
		return 1;
	}
	if (queue_descriptors(relay, &info, portal_queue_end(&relay->output))) {
		portal_queue_add(&relay->output, size);
	}
	return info.cost;
}

/* Returns whether the rate is used up. */
static bool spend(struct portal_relay *relay, uint32_t cost) {
	if (relay->options.guest || !relay->options.quota || !relay->handlers.throttle) {
		return false;
	}
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t wait = portal_quota_spend(relay->options.quota,
		(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec, cost);
	if (wait > 0) {
		relay->handlers.throttle(relay->data, wait);
	}
	return wait > 0;
}

/* Checks messages until the rate is used up. Returns the bytes of those. */
static size_t put_messages(
	struct portal_relay *relay, const uint8_t *untrusted_messages, size_t size) {
	uint32_t cost = 0;
	size_t at = 0;
	bool used_up = false;
	while (at < size && !relay->ended && !used_up) {
		ptrdiff_t next = portal_wire_size(untrusted_messages + at, size - at);
		if (next <= 0 || (size_t)next > size - at) {
			violate(relay, "a frame does not hold whole Wayland messages");
			break;
		}
		cost += put_message(relay, untrusted_messages + at, (size_t)next);
		at += (size_t)next;
		if (cost >= SPEND_STEP) {
			used_up = spend(relay, cost);
			cost = 0;
		}
	}
	if (cost > 0) {
		(void)spend(relay, cost);
	}
	return at;
}

static void hold(struct portal_relay *relay, const uint8_t *untrusted_messages, size_t size) {
	relay->untrusted_held = malloc(size);
	if (!relay->untrusted_held) {
		portal_relay_set_ended(relay, PORTAL_RELAY_FAILURE, "out of memory");
		return;
	}
	memcpy(relay->untrusted_held, untrusted_messages, size);
	relay->held_at = 0;
	relay->held_size = size;
}

static void put_held(struct portal_relay *relay) {
	relay->held_at += put_messages(
		relay, relay->untrusted_held + relay->held_at, relay->held_size - relay->held_at);
	if (relay->held_at == relay->held_size || relay->ended) {
		free(relay->untrusted_held);
		relay->untrusted_held = NULL;
	}
}

static void write_put(struct portal_relay *relay) {
	if (relay->ended) {
		return;
	}
	if (relay->output_broken) {
		portal_queue_finish(&relay->output);
	}
	portal_relay_write(relay);
}

void portal_relay_put(struct portal_relay *relay, const uint8_t *untrusted_messages, size_t size) {
	/* Only where the channel was not paused. */
	while (relay->untrusted_held) {
		put_held(relay);
	}
	size_t done = put_messages(relay, untrusted_messages, size);
	if (done < size && !relay->ended) {
		hold(relay, untrusted_messages + done, size - done);
	}
	write_put(relay);
}

void portal_relay_put_held(struct portal_relay *relay) {
	if (relay->untrusted_held) {
		put_held(relay);
		write_put(relay);
	}
}
