#ifndef PORTAL_TEST_GUEST_H
#define PORTAL_TEST_GUEST_H

#include <stdbool.h>
#include <stddef.h>

struct portal_channel;
struct portal_channel_handlers;
struct portal_heap;

/*
 * The guest's end of a channel, spoken by hand: makes a heap of so many bytes in a memfd, listens
 * at unix:PATH, prints "listening", and waits for a bridge. name is the VM's. With other_heap its
 * HELLO speaks of another one than it hands over. Returns NULL with errno, without a heap.
 */
struct portal_channel *guest_await_bridge(const char *path, const char *name, size_t heap_bytes,
	bool other_heap, struct portal_heap *heap, const struct portal_channel_handlers *handlers,
	void *data);

#endif
