#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ring.h"

static int map_twice(struct portal_ring *ring, int fd) {
	uint8_t *map = mmap(NULL, 2 * ring->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED) {
		return -1;
	}
	const int flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE;
	for (int i = 0; i < 2; i++) {
		void *half = map + (size_t)i * ring->size;
		if (mmap(half, ring->size, PROT_READ | PROT_WRITE, flags, fd, 0) == MAP_FAILED) {
			munmap(map, 2 * ring->size);
			return -1;
		}
	}
	ring->map = map;
	return 0;
}

int portal_ring_init(struct portal_ring *ring, size_t size) {
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	*ring = (struct portal_ring){.size = (size + page - 1) & ~(page - 1)};
	if (ring->size == 0 || ring->size < size) {
		errno = EINVAL;
		return -1;
	}
	int fd = memfd_create("portal-ring", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL) { /* Linux before 6.3 */
		fd = memfd_create("portal-ring", MFD_CLOEXEC);
	}
	if (fd < 0) {
		return -1;
	}
	int result = ftruncate(fd, (off_t)ring->size);
	if (result == 0) {
		result = map_twice(ring, fd);
	}
	int error = errno;
	close(fd);
	errno = error;
	return result;
}

void portal_ring_finish(struct portal_ring *ring) {
	if (ring->map != NULL) {
		munmap(ring->map, 2 * ring->size);
		ring->map = NULL;
	}
}

void portal_ring_align(struct portal_ring *ring, size_t alignment) {
	size_t excess = (size_t)(ring->tail % alignment);
	if (excess == 0) {
		return;
	}
	/* Forward would need free space behind the queue: back, into what was just taken out. */
	size_t used = portal_ring_used(ring);
	uint8_t *to = portal_ring_at(ring, ring->tail - excess);
	memmove(to, to + excess, used);
	ring->tail -= excess;
	ring->head -= excess;
}
