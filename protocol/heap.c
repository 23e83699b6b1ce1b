#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "heap-impl.h"

#define HEAP_VERSION 1
#define SCRATCH_OFFSET PORTAL_HEAP_PAGE
#define SCRATCH_SIZE (512u << 10)
#define DATA_OFFSET (1u << 20)

static const uint8_t magic[8] = {'P', 'O', 'R', 'T', 'H', 'E', 'A', 'P'};

static int fail(struct portal_heap *heap, const char **error, const char *text, int number) {
	if (error != NULL && text != NULL) {
		*error = text;
	}
	if (heap != NULL) {
		portal_heap_finish(heap);
	}
	errno = number;
	return -1;
}

static int write_header(struct portal_heap *heap) {
	struct portal_heap_header *header = &heap->header;
	*header = (struct portal_heap_header){
		.version = HEAP_VERSION,
		.header_size = sizeof(*header),
		.size = heap->map_size,
		.scratch_offset = SCRATCH_OFFSET,
		.scratch_size = SCRATCH_SIZE,
		.data_offset = DATA_OFFSET,
	};
	memcpy(header->magic, magic, sizeof(magic));
	if (getrandom(header->id, sizeof(header->id), 0) != sizeof(header->id)) {
		return -1;
	}
	memcpy(heap->map, header, sizeof(*header));
	/* out of write-combining buffers before the channel tells of it */
	atomic_thread_fence(memory_order_seq_cst);
	return 0;
}

int portal_heap_create(
	struct portal_heap *heap, const struct portal_heap_address *address, const char **error) {
	bool memfd = address->kind == PORTAL_HEAP_MEMFD;
	int result = memfd ? portal_heap_make_memfd(heap, address->size, error)
			   : portal_heap_open_named(heap, address, error);
	/*
	 * A VM's heap was allocated before the VM started, so mapping all of it costs page tables
	 * only. A memfd's pages come with the buffers that need them, see portal_heap_populate().
	 */
	if (result < 0 || portal_heap_map_fd(heap, !memfd, error) < 0) {
		return fail(heap, NULL, NULL, errno);
	}
	if (write_header(heap) < 0) {
		return fail(heap, error, "no random numbers", errno);
	}
	return 0;
}

int portal_heap_map(
	struct portal_heap *heap, const struct portal_heap_address *address, const char **error) {
	if (portal_heap_open_named(heap, address, error) < 0 ||
		portal_heap_map_fd(heap, false, error) < 0) {
		return fail(heap, NULL, NULL, errno);
	}
	return 0;
}

static bool is_plausible(const struct portal_heap_header *untrusted_header, size_t available) {
	const struct portal_heap_header *header = untrusted_header;
	return header->version == HEAP_VERSION && header->header_size >= sizeof(*header) &&
	       header->header_size <= SCRATCH_OFFSET && header->size <= available &&
	       header->size >= PORTAL_HEAP_SIZE_MIN - PORTAL_HEAP_DAX_BASE &&
	       header->scratch_offset >= header->header_size &&
	       header->scratch_offset <= header->data_offset &&
	       header->scratch_size <= header->data_offset - header->scratch_offset &&
	       header->data_offset < header->size && header->data_offset % PORTAL_HEAP_PAGE == 0;
}

int portal_heap_find_header(struct portal_heap *heap, const uint8_t id[16], const char **error) {
	static const size_t bases[] = {0, PORTAL_HEAP_DAX_BASE};
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		struct portal_heap_header untrusted_header;
		if (bases[i] + PORTAL_HEAP_PAGE > heap->map_size) {
			break;
		}
		memcpy(&untrusted_header, heap->map + bases[i], sizeof(untrusted_header));
		if (memcmp(untrusted_header.magic, magic, sizeof(magic)) != 0 ||
			memcmp(untrusted_header.id, id, sizeof(untrusted_header.id)) != 0) {
			continue;
		}
		if (!is_plausible(&untrusted_header, heap->map_size - bases[i])) {
			return fail(NULL, error, "the heap's header cannot be true", EPROTO);
		}
		heap->base = bases[i];
		heap->header = untrusted_header;
		return 0;
	}
	return fail(NULL, error, "this heap is not the one that the guest writes to", EAGAIN);
}

int portal_heap_open(struct portal_heap *heap, const struct portal_heap_address *address,
	int received_fd, const uint8_t id[16], const char **error) {
	bool memfd = address->kind == PORTAL_HEAP_MEMFD;
	int result = memfd ? portal_heap_take_memfd(heap, received_fd, error)
			   : portal_heap_open_named(heap, address, error);
	if (result < 0 || portal_heap_map_fd(heap, false, error) < 0 ||
		portal_heap_find_header(heap, id, error) < 0) {
		return fail(heap, NULL, NULL, errno);
	}
	return 0;
}

int portal_heap_populate(struct portal_heap *heap, size_t offset, size_t size) {
	return madvise(portal_heap_at(heap, offset), size, MADV_POPULATE_WRITE);
}

int32_t portal_heap_get_pool_size(const struct portal_heap *heap) {
	return (int32_t)heap->map_size;
}
