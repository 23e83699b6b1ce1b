#ifndef PORTAL_HEAP_ALLOC_H
#define PORTAL_HEAP_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The agent's allocator of heap memory: page-aligned ranges, allocated and freed in constant time.
 * It keeps its books in private memory, so nothing the other end does to the heap can mislead it,
 * and takes no memory after init. Sizes are rounded up to one of eight steps per power of two, so
 * that the ranges of a window that is being resized fit the holes its former ones leave.
 */

struct portal_heap_alloc;

/* Manage [offset, offset + size), page aligned (rounded inwards). NULL with errno. */
struct portal_heap_alloc *portal_heap_alloc_create(size_t offset, size_t size);

/* Ranges still allocated are forgotten. NULL is fine. */
void portal_heap_alloc_destroy(struct portal_heap_alloc *alloc);

/*
 * Allocate at least size bytes. Returns the heap offset, a multiple of 4096, and stores the bytes
 * usable there in *usable when not NULL. 0 (never a range's offset) with errno ENOMEM when the heap
 * is full or too fragmented, EINVAL for size 0.
 */
size_t portal_heap_alloc_get(struct portal_heap_alloc *alloc, size_t size, size_t *usable);

/* Give a range back by its offset. It must have come from portal_heap_alloc_get(). */
void portal_heap_alloc_put(struct portal_heap_alloc *alloc, size_t offset);

/* What portal_heap_alloc_get() takes for a size, in bytes. */
size_t portal_heap_alloc_round(size_t size);

size_t portal_heap_alloc_get_used(const struct portal_heap_alloc *alloc);

/* The largest size that portal_heap_alloc_get() would grant now. */
size_t portal_heap_alloc_get_largest(const struct portal_heap_alloc *alloc);

#endif
