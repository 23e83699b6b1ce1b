#include "guest.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "channel.h"
#include "heap.h"

static struct portal_transport *await_transport(const char *path) {
	struct portal_transport_address address = {.kind = PORTAL_TRANSPORT_UNIX};
	snprintf(address.path, sizeof(address.path), "%s", path);
	struct portal_transport_listener *listener = portal_transport_listen(&address);
	if (!listener) {
		return NULL;
	}
	puts("listening");
	struct pollfd pollfd = {portal_transport_listener_get_fd(listener), POLLIN, 0};
	poll(&pollfd, 1, -1);
	struct portal_transport *transport = portal_transport_accept(listener);
	portal_transport_listener_destroy(listener);
	return transport;
}

struct portal_channel *guest_await_bridge(const char *path, const char *name, size_t heap_bytes,
	bool other_heap, struct portal_heap *heap, const struct portal_channel_handlers *handlers,
	void *data) {
	struct portal_heap_address address = {.kind = PORTAL_HEAP_MEMFD, .size = heap_bytes};
	if (portal_heap_create(heap, &address, NULL) < 0) {
		return NULL;
	}
	struct portal_transport *transport = await_transport(path);
	struct portal_channel_options options = {
		.role = PORTAL_ROLE_GUEST,
		.name = name,
		.software = "test",
		.features = PORTAL_FEATURE_SHARED_HEAP,
		.heap = {.size = heap->header.size, .kind = PORTAL_HEAP_MEMFD},
		.heap_fd = heap->fd,
		.queue_size = 4 << 20,
	};
	memcpy(options.heap.id, heap->header.id, sizeof(options.heap.id));
	options.heap.id[0] ^= other_heap;
	struct portal_channel *channel =
		transport ? portal_channel_create(transport, &options, handlers, data) : NULL;
	if (!channel) {
		int error = errno;
		portal_heap_finish(heap);
		errno = error;
	}
	return channel;
}
