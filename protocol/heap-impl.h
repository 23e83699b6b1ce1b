#ifndef PORTAL_HEAP_IMPL_H
#define PORTAL_HEAP_IMPL_H

#include "heap.h"

/*
 * heap_map.c, inside protocol/ only: the memory without its layout. Each returns −1 with errno and
 * *error; portal_heap_finish() cleans up after any of them.
 */
int portal_heap_open_named(
	struct portal_heap *heap, const struct portal_heap_address *address, const char **error);
int portal_heap_make_memfd(struct portal_heap *heap, uint64_t size, const char **error);
int portal_heap_take_memfd(struct portal_heap *heap, int received_fd, const char **error);
int portal_heap_map_fd(struct portal_heap *heap, bool populate, const char **error);

#endif
