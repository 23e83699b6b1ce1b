#include "heap/heap_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "heap.h"

static int fail(const struct heap_device *heap, struct error *error) {
	return error_set(error, "the heap %s: %s", heap->path,
		errno == EINVAL ? "its size must be a multiple of 2M, and 6M at least"
				: portal_heap_file_error(errno));
}

int heap_file_make(const struct heap_device *heap, struct error *error) {
	return portal_heap_format_file(heap->path, heap->size, heap->kind == DOMAIN_HEAP_NVDIMM) ==
			       0
		       ? 0
		       : fail(heap, error);
}

int heap_file_check(const struct heap_device *heap, struct error *error) {
	return portal_heap_check_file(heap->path) == 0 ? 0 : fail(heap, error);
}

bool heap_file_is_in_use(const char *path) {
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bool in_use = fd >= 0 && portal_heap_file_is_in_use(fd);
	if (fd >= 0) {
		close(fd);
	}
	return in_use;
}
