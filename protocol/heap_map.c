#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "heap-impl.h"

#define HUGE_PAGE (2u << 20) /* what a DAX device's mappings are multiples of */

static int fail(const char **error, const char *text, int number) {
	if (error != NULL) {
		*error = text;
	}
	errno = number;
	return -1;
}

/* The value of /sys/dev/char/MAJOR:MINOR/size, 0 when it cannot be read. */
static uint64_t read_dax_size(dev_t device) {
	char path[64], text[32];
	snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/size", major(device), minor(device));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return 0;
	}
	ssize_t length = read(fd, text, sizeof(text) - 1);
	close(fd);
	uint64_t size = 0;
	for (ssize_t i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
		size = size * 10 + (uint64_t)(text[i] - '0');
	}
	return size;
}

static bool is_pci_address(const char *text) {
	unsigned int domain, bus, slot, function;
	int end = 0;
	return sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &end) == 4 &&
	       text[end] == '\0';
}

/* Write-combining where the device offers it: uncached writes are slower still. */
static int open_ivshmem(const char *address) {
	if (!is_pci_address(address)) {
		return open(address, O_RDWR | O_CLOEXEC);
	}
	char path[320];
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource2_wc", address);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		*strrchr(path, '_') = '\0';
		fd = open(path, O_RDWR | O_CLOEXEC);
	}
	return fd;
}

static int open_named(const struct portal_heap_address *address) {
	if (address->kind == PORTAL_HEAP_IVSHMEM) {
		return open_ivshmem(address->path);
	}
	return open(address->path, O_RDWR | O_CLOEXEC);
}

static uint64_t get_size(int fd) {
	struct stat stat_buffer;
	if (fstat(fd, &stat_buffer) < 0) {
		return 0;
	}
	if (S_ISCHR(stat_buffer.st_mode)) {
		return read_dax_size(stat_buffer.st_rdev);
	}
	return (uint64_t)stat_buffer.st_size;
}

int portal_heap_map_fd(struct portal_heap *heap, bool populate, const char **error) {
	uint64_t size = get_size(heap->fd);
	size_t page = heap->kind == PORTAL_HEAP_DAX ? HUGE_PAGE : PORTAL_HEAP_PAGE;
	/* wl_shm cannot name what lies behind; on the other end a DAX device may begin later */
	uint64_t most = PORTAL_HEAP_POOL_MAX;
	if (heap->kind == PORTAL_HEAP_DAX) {
		most -= PORTAL_HEAP_DAX_BASE;
	}
	size = size < most ? size : most;
	heap->map_size = (size_t)size & ~(page - 1);
	if (heap->map_size < PORTAL_HEAP_SIZE_MIN) {
		return fail(error, "the heap is smaller than 4 MiB", EINVAL);
	}
	int flags = MAP_SHARED | (populate ? MAP_POPULATE : 0);
	void *map = mmap(NULL, heap->map_size, PROT_READ | PROT_WRITE, flags, heap->fd, 0);
	if (map == MAP_FAILED) {
		return fail(error, "the heap cannot be mapped", errno);
	}
	heap->map = map;
	return 0;
}

int portal_heap_open_named(
	struct portal_heap *heap, const struct portal_heap_address *address, const char **error) {
	*heap = (struct portal_heap){.kind = address->kind, .fd = -1};
	heap->fd = open_named(address);
	if (heap->fd < 0) {
		return fail(error, "the heap's memory cannot be opened", errno);
	}
	return 0;
}

int portal_heap_make_memfd(struct portal_heap *heap, uint64_t size, const char **error) {
	*heap = (struct portal_heap){.kind = PORTAL_HEAP_MEMFD, .fd = -1};
	if (size == 0 || size > PORTAL_HEAP_POOL_MAX) {
		return fail(error, "memfd: wants a size under 2 GiB", EINVAL);
	}
	heap->fd = memfd_create("portal-heap", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (heap->fd < 0 && errno == EINVAL) { /* Linux before 6.3 */
		heap->fd = memfd_create("portal-heap", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	}
	size = (size + PORTAL_HEAP_PAGE - 1) & ~(uint64_t)(PORTAL_HEAP_PAGE - 1);
	if (heap->fd < 0 || ftruncate(heap->fd, (off_t)size) < 0 ||
		fcntl(heap->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		return fail(error, "no memory for the heap", errno);
	}
	return 0;
}

/* Memory that another process may shrink would be a bus error for everybody who maps it. */
int portal_heap_take_memfd(struct portal_heap *heap, int received_fd, const char **error) {
	*heap = (struct portal_heap){.kind = PORTAL_HEAP_MEMFD, .fd = received_fd};
	if (received_fd < 0) {
		return fail(error, "the guest sent no heap", EBADF);
	}
	int seals = fcntl(received_fd, F_GET_SEALS);
	if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
		return fail(error, "the guest's heap is not sealed against shrinking", EPERM);
	}
	return 0;
}

void portal_heap_finish(struct portal_heap *heap) {
	if (heap->map != NULL) {
		munmap(heap->map, heap->map_size);
	}
	if (heap->fd >= 0) {
		close(heap->fd);
	}
	*heap = (struct portal_heap){.fd = -1};
}
