/* From the socket to the channel. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel.h"
#include "heap.h"
#include "relay-impl.h"

/* Keymaps that wait for the channel; a connection is sent one for each keyboard it asks for. */
#define BACKLOG_FDS_MAX 64

void portal_relay_close_input(struct portal_relay *relay) {
	for (size_t i = 0; i < relay->n_input_fds; i++) {
		close(relay->input_fds[i]);
	}
	relay->n_input_fds = 0;
	relay->input_size = 0;
}

/* Descriptors that came with the bytes just read. False when there are too many. */
static bool take_fds(struct portal_relay *relay, struct msghdr *message) {
	bool fits = (message->msg_flags & MSG_CTRUNC) == 0;
	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control;
		control = CMSG_NXTHDR(message, control)) {
		if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(control) + i * sizeof(fd), sizeof(fd));
			if (relay->n_input_fds ==
				sizeof(relay->input_fds) / sizeof(relay->input_fds[0])) {
				close(fd);
				fits = false;
			} else {
				relay->input_fds[relay->n_input_fds++] = fd;
			}
		}
	}
	return fits;
}

/* Bytes read, 0 when there is nothing to read now; the end is dealt with. */
static size_t receive(struct portal_relay *relay) {
	union {
		char bytes[CMSG_SPACE(PORTAL_RELAY_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iovec = {
		.iov_base = relay->input + relay->input_size,
		.iov_len = sizeof(relay->input) - relay->input_size,
	};
	struct msghdr message = {
		.msg_iov = &iovec,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t size;
	do {
		size = recvmsg(relay->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (size < 0 && errno == EINTR);
	if (size < 0 && errno == EAGAIN) {
		return 0;
	}
	if (size <= 0) {
		portal_relay_set_ended(relay, PORTAL_RELAY_SOCKET_CLOSED, "%s",
			size < 0 ? strerror(errno) : "closed");
		return 0;
	}
	if (!take_fds(relay, &message)) {
		portal_relay_set_ended(relay, PORTAL_RELAY_SOCKET_VIOLATION,
			"more descriptors than messages can carry");
		return 0;
	}
	return (size_t)size;
}

static bool is_heap(const struct portal_relay *relay, int fd) {
	struct stat heap, other;
	return relay->options.heap && fstat(relay->options.heap->fd, &heap) == 0 &&
	       fstat(fd, &other) == 0 && heap.st_dev == other.st_dev &&
	       heap.st_ino == other.st_ino && heap.st_rdev == other.st_rdev;
}

/* Moves a message's descriptors to the backlog, checked for what the channel can carry. */
static bool queue_fds(
	struct portal_relay *relay, const struct portal_wire_info *info, uint64_t position) {
	for (unsigned int i = 0; i < info->n_fds; i++) {
		if (relay->n_input_fds == 0) {
			portal_relay_set_ended(
				relay, PORTAL_RELAY_SOCKET_VIOLATION, "a descriptor is missing");
			return false;
		}
		int fd = relay->input_fds[0];
		relay->n_input_fds--;
		memmove(relay->input_fds, relay->input_fds + 1, relay->n_input_fds * sizeof(int));
		if (info->fd_kinds[i] == PORTAL_WIRE_FD_HEAP && !is_heap(relay, fd)) {
			close(fd);
			portal_relay_set_ended(relay, PORTAL_RELAY_SOCKET_VIOLATION,
				"a pool is not made over the heap");
			return false;
		}
		if (portal_queue_add_fd(&relay->backlog, position, fd) < 0) {
			portal_relay_set_ended(relay, PORTAL_RELAY_FAILURE, "out of memory");
			return false;
		}
	}
	return true;
}

/* Checks one message in place and queues it. */
static void take_message(struct portal_relay *relay, uint8_t *message, size_t size) {
	struct portal_wire_info info;
	bool guest = relay->options.guest;
	enum portal_wire_verdict verdict =
		guest ? portal_wire_request(relay->wire, message, size, &info)
		      : portal_wire_event(relay->wire, message, size, &info);
	if (verdict == PORTAL_WIRE_HIDE) {
		return;
	}
	if (verdict != PORTAL_WIRE_PASS) {
		portal_relay_reject(relay, verdict, true);
		return;
	}
	if (guest) {
		relay->counters.requests++;
	} else {
		relay->counters.events++;
		if (relay->merging && portal_motion_merge(&relay->motion, &relay->backlog, &info,
					      message, size)) {
			relay->counters.coalesced++;
			return;
		}
	}
	if (!queue_fds(relay, &info, portal_queue_end(&relay->backlog))) {
		return;
	}
	void *room = portal_queue_reserve(&relay->backlog, size);
	if (!room) {
		portal_relay_set_ended(relay, PORTAL_RELAY_FAILURE, "out of memory");
		return;
	}
	memcpy(room, message, size);
	portal_queue_add(&relay->backlog, size);
}

/* Motion is merged only while something waits that an earlier read has brought. */
static void update_merging(struct portal_relay *relay) {
	bool merging = portal_queue_size(&relay->backlog) > 0;
	if (merging && !relay->merging) {
		relay->motion = (struct portal_motion){0};
	}
	relay->merging = merging;
}

/* Whether too much waits at the controller's end, where nobody is told to wait. */
static void check_backlog(struct portal_relay *relay) {
	if (relay->options.guest || relay->ended) {
		return;
	}
	size_t bytes = portal_queue_size(&relay->backlog), fds = relay->backlog.n_fds;
	if (bytes > relay->options.backlog_max) {
		portal_relay_set_ended(relay, PORTAL_RELAY_OVERFLOW,
			"the guest does not read its events, %zu bytes are waiting", bytes);
	} else if (fds > BACKLOG_FDS_MAX) {
		portal_relay_set_ended(relay, PORTAL_RELAY_OVERFLOW,
			"the guest does not read its events, %zu descriptors are waiting", fds);
	}
}

void portal_relay_read(struct portal_relay *relay) {
	update_merging(relay);
	relay->input_size += receive(relay);
	size_t at = 0;
	while (!relay->ended) {
		ptrdiff_t size = portal_wire_size(relay->input + at, relay->input_size - at);
		if (size < 0) {
			portal_relay_set_ended(relay, PORTAL_RELAY_SOCKET_VIOLATION,
				"a message's size is out of bounds");
			return;
		}
		if (size == 0 || (size_t)size > relay->input_size - at) {
			break;
		}
		take_message(relay, relay->input + at, (size_t)size);
		at += (size_t)size;
	}
	if (relay->ended) {
		return;
	}
	relay->input_size -= at;
	memmove(relay->input, relay->input + at, relay->input_size);
	portal_relay_send(relay);
	check_backlog(relay);
}

/* A file's content as it is now, in memory of its own; NULL with errno. */
static void *read_blob(int fd, size_t *size) {
	struct stat stat;
	if (fstat(fd, &stat) < 0) {
		return NULL;
	}
	if (!S_ISREG(stat.st_mode) || stat.st_size > (off_t)PORTAL_BLOB_MAX) {
		errno = EINVAL;
		return NULL;
	}
	uint8_t *content = malloc((size_t)stat.st_size + 1);
	*size = 0;
	while (content && *size < (size_t)stat.st_size) {
		ssize_t got =
			pread(fd, content + *size, (size_t)stat.st_size - *size, (off_t)*size);
		if (got < 0 && errno != EINTR) {
			free(content);
			return NULL;
		}
		if (got == 0) {
			break; /* it shrank: what is left is what there is */
		}
		*size += got > 0 ? (size_t)got : 0;
	}
	return content;
}

/* 0 when it was sent or the connection has ended over it, -1 when the channel has no room. */
static int send_descriptor(struct portal_relay *relay, int fd) {
	struct portal_channel *channel = relay->options.channel;
	uint32_t connection = relay->options.connection;
	if (is_heap(relay, fd)) {
		return portal_channel_send_heap(channel, connection);
	}
	size_t size;
	void *content = read_blob(fd, &size);
	if (!content) {
		portal_relay_set_ended(relay, PORTAL_RELAY_SOCKET_VIOLATION,
			"a descriptor cannot be passed on: %s", strerror(errno));
		return 0;
	}
	int result = portal_channel_send_blob(channel, connection, content, size);
	if (result < 0 && errno != EAGAIN && errno != ENOTCONN) {
		portal_relay_set_ended(relay, PORTAL_RELAY_SOCKET_VIOLATION,
			"a descriptor's %zu bytes do not fit the channel", size);
		result = 0;
	}
	free(content);
	return result;
}

/* As many of the first bytes as fit into limit and are whole messages. */
static size_t whole_messages(const struct portal_queue *queue, size_t limit) {
	const uint8_t *data = queue->data + queue->begin;
	size_t queued = portal_queue_size(queue), at = 0;
	if (queued <= limit) {
		return queued;
	}
	for (;;) {
		ptrdiff_t size = portal_wire_size(data + at, queued - at);
		if (size <= 0 || at + (size_t)size > limit) {
			return at;
		}
		at += (size_t)size;
	}
}

/* Sends one frame of messages, or the descriptors before them. False when there is no more room. */
static bool send_some(struct portal_relay *relay) {
	struct portal_queue *backlog = &relay->backlog;
	if (backlog->n_fds > 0 && backlog->fds[0].at == backlog->position) {
		if (send_descriptor(relay, backlog->fds[0].fd) < 0) {
			return false;
		}
		if (backlog->n_fds > 0) {
			portal_queue_remove_fds(backlog, 1);
		}
		return true;
	}
	size_t limit = PORTAL_FRAME_PAYLOAD_MAX;
	if (backlog->n_fds > 0 && backlog->fds[0].at - backlog->position < limit) {
		limit = (size_t)(backlog->fds[0].at - backlog->position);
	}
	size_t space = portal_channel_get_space(relay->options.channel);
	size_t size = whole_messages(backlog, space < limit ? space : limit);
	if (size == 0) {
		/* Sent in vain, so that the channel tells when there is room. */
		size = whole_messages(backlog, limit);
	}
	if (portal_channel_send_wayland(relay->options.channel, relay->options.connection,
		    backlog->data + backlog->begin, size) < 0) {
		return false;
	}
	portal_queue_remove(backlog, size);
	return true;
}

void portal_relay_send(struct portal_relay *relay) {
	struct portal_channel *channel = relay->options.channel;
	uint32_t connection = relay->options.connection;
	if (relay->connect_pending) {
		if (portal_channel_send_connect(channel, connection, "") < 0) {
			return;
		}
		relay->connect_pending = false;
	}
	while (portal_queue_size(&relay->backlog) > 0) {
		if (!send_some(relay)) {
			return;
		}
	}
	if (relay->disconnect_pending &&
		portal_channel_send_disconnect(channel, connection, relay->text) == 0) {
		relay->disconnect_pending = false;
		relay->disconnect_sent = true;
	}
}
