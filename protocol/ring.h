#ifndef PORTAL_RING_H
#define PORTAL_RING_H

#include <stddef.h>
#include <stdint.h>

/*
 * A byte queue whose memory is mapped twice in a row, so that what is queued and what is free are
 * each one contiguous range wherever they begin. Positions count all bytes ever queued.
 */
struct portal_ring {
	uint8_t *map;
	size_t size;
	uint64_t head; /* bytes put in */
	uint64_t tail; /* bytes taken out */
};

/* size is rounded up to pages. −1 with errno. */
int portal_ring_init(struct portal_ring *ring, size_t size);
void portal_ring_finish(struct portal_ring *ring);

static inline size_t portal_ring_used(const struct portal_ring *ring) {
	return (size_t)(ring->head - ring->tail);
}

static inline size_t portal_ring_free(const struct portal_ring *ring) {
	return ring->size - portal_ring_used(ring);
}

static inline uint8_t *portal_ring_at(const struct portal_ring *ring, uint64_t position) {
	return ring->map + (size_t)(position % ring->size);
}

/* Move what is queued so that it begins at a multiple of alignment, a power of two. */
void portal_ring_align(struct portal_ring *ring, size_t alignment);

#endif
