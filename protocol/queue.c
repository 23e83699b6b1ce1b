#include "queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAPACITY_MIN 16384

void portal_queue_finish(struct portal_queue *queue) {
	portal_queue_remove_fds(queue, queue->n_fds);
	free(queue->data);
	free(queue->fds);
	*queue = (struct portal_queue){0};
}

void *portal_queue_reserve(struct portal_queue *queue, size_t size) {
	if (queue->capacity - queue->end >= size) {
		return queue->data + queue->end;
	}
	size_t used = portal_queue_size(queue);
	size_t capacity = queue->capacity ? queue->capacity : CAPACITY_MIN;
	/* Moving is worth it only when it leaves room for as much as was moved. */
	while (capacity < (used + size) * 2) {
		capacity *= 2;
	}
	if (capacity > queue->capacity) {
		uint8_t *grown = malloc(capacity);
		if (!grown) {
			errno = ENOMEM;
			return NULL;
		}
		if (used > 0) {
			memcpy(grown, queue->data + queue->begin, used);
		}
		free(queue->data);
		queue->data = grown;
		queue->capacity = capacity;
	} else {
		memmove(queue->data, queue->data + queue->begin, used);
	}
	queue->begin = 0;
	queue->end = used;
	return queue->data + queue->end;
}

void portal_queue_add(struct portal_queue *queue, size_t size) {
	assert(size <= queue->capacity - queue->end);
	queue->end += size;
}

int portal_queue_add_fd(struct portal_queue *queue, uint64_t at, int fd) {
	if (queue->n_fds == queue->fds_capacity) {
		size_t capacity = queue->fds_capacity ? queue->fds_capacity * 2 : 8;
		struct portal_queue_fd *grown = realloc(queue->fds, capacity * sizeof(*grown));
		if (!grown) {
			close(fd);
			errno = ENOMEM;
			return -1;
		}
		queue->fds = grown;
		queue->fds_capacity = capacity;
	}
	queue->fds[queue->n_fds++] = (struct portal_queue_fd){.at = at, .fd = fd};
	return 0;
}

void portal_queue_remove(struct portal_queue *queue, size_t size) {
	assert(size <= portal_queue_size(queue));
	queue->begin += size;
	queue->position += size;
	if (queue->begin == queue->end) {
		queue->begin = queue->end = 0;
	}
}

void portal_queue_remove_fds(struct portal_queue *queue, size_t count) {
	assert(count <= queue->n_fds);
	if (count == 0) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		close(queue->fds[i].fd);
	}
	queue->n_fds -= count;
	memmove(queue->fds, queue->fds + count, queue->n_fds * sizeof(*queue->fds));
}
