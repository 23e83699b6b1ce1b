#ifndef PORTAL_QUEUE_H
#define PORTAL_QUEUE_H

/*
 * Whole Wayland messages on their way, with the descriptors that belong to them. Positions count
 * the bytes since the begin of the stream.
 */

#include <stddef.h>
#include <stdint.h>

struct portal_queue_fd {
	uint64_t at; /* position of the message that carries it */
	int fd; /* owned */
};

struct portal_queue {
	uint8_t *data;
	size_t capacity, begin, end; /* data[begin] to data[end] is queued */
	uint64_t position; /* of data[begin] */
	struct portal_queue_fd *fds; /* in order */
	size_t n_fds, fds_capacity;
};

/* Frees the memory and closes the descriptors. Zeroes are an empty queue: there is no init. */
void portal_queue_finish(struct portal_queue *queue);

static inline size_t portal_queue_size(const struct portal_queue *queue) {
	return queue->end - queue->begin;
}

static inline uint64_t portal_queue_end(const struct portal_queue *queue) {
	return queue->position + portal_queue_size(queue);
}

/* What is queued at a position not before the queue's own. */
static inline uint8_t *portal_queue_at(struct portal_queue *queue, uint64_t position) {
	return queue->data + queue->begin + (size_t)(position - queue->position);
}

/* Room for size bytes behind the last one, to be filled and added. NULL with errno ENOMEM. */
void *portal_queue_reserve(struct portal_queue *queue, size_t size);
void portal_queue_add(struct portal_queue *queue, size_t size);

/* Queues a descriptor, which it takes over also on failure. 0, or -1 with errno ENOMEM. */
int portal_queue_add_fd(struct portal_queue *queue, uint64_t at, int fd);

/* Takes bytes, or descriptors (which are closed), from the begin. */
void portal_queue_remove(struct portal_queue *queue, size_t size);
void portal_queue_remove_fds(struct portal_queue *queue, size_t count);

#endif
