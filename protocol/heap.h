#ifndef PORTAL_HEAP_H
#define PORTAL_HEAP_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The memory a guest and the controller share; its layout is in portal-protocol(7), HEAP. Heap
 * offsets count from the heap's header. The header is the heap's first byte on the guest's device;
 * on the other end's file it may lie `base` bytes further (2 MiB where the guest sees an nvdimm's
 * DAX device). So a wl_shm_pool made from the descriptor has portal_heap_get_pool_size() bytes, and
 * a buffer's offset in it is base + its heap offset: the bridge adds base to what the guest asks
 * for.
 *
 * Everything in the heap can change at any time; only the agent writes to its data.
 */

enum portal_heap_kind {
	PORTAL_HEAP_MEMFD = 1, /* memfd:SIZE on the agent, memfd: on the bridge */
	PORTAL_HEAP_FILE = 2, /* file:PATH */
	PORTAL_HEAP_DAX = 3, /* dax:PATH */
	PORTAL_HEAP_IVSHMEM = 4, /* ivshmem:PCI-ADDRESS, or ivshmem:PATH of a resource file */
};

#define PORTAL_HEAP_PAGE 4096u
#define PORTAL_HEAP_POOL_MAX (INT32_MAX - (INT32_MAX % PORTAL_HEAP_PAGE) - PORTAL_HEAP_PAGE)
#define PORTAL_HEAP_DAX_BASE (2u << 20) /* first usable byte of a DAX device in its host file */
#define PORTAL_HEAP_SIZE_MIN (4u << 20)

/* The first bytes of the heap, written by the agent. Little-endian. */
struct portal_heap_header {
	uint8_t magic[8]; /* "PORTHEAP" */
	uint32_t version; /* 1 */
	uint32_t header_size;
	uint64_t size; /* bytes from the header to the heap's end */
	uint8_t id[16]; /* random for each format */
	uint64_t scratch_offset; /* for timing: first half the guest's, second the controller's */
	uint64_t scratch_size;
	uint64_t data_offset; /* buffers lie from here to the end */
};
static_assert(sizeof(struct portal_heap_header) == 64, "heap header");

struct portal_heap_address {
	enum portal_heap_kind kind;
	char path[256]; /* PATH or PCI-ADDRESS; empty for memfd: */
	uint64_t size; /* memfd:SIZE, else 0 */
};

/*
 * Parse "KIND:…"; SIZE takes the suffixes K, M, G. Returns 0, or −1 with errno EINVAL and, when
 * error is not NULL, *error pointing to a constant sentence.
 */
int portal_heap_parse(struct portal_heap_address *address, const char *text, const char **error);

/* Parse a size such as 256M. Returns 0, or −1 with errno EINVAL. */
int portal_heap_parse_size(const char *text, uint64_t *size);

struct portal_heap {
	enum portal_heap_kind kind;
	int fd; /* owned; for wl_shm_create_pool */
	uint8_t *map; /* of the whole of fd, from its first byte; read and write */
	size_t map_size; /* multiple of the device's page */
	size_t base; /* of the header in fd and map */
	struct portal_heap_header header; /* checked copy; size never reaches past the mapping */
	uint32_t read_speed, write_speed; /* MB/s, 0 before portal_heap_measure() */
};

/*
 * The agent's side: open or make the memory, map it (all pages present but for `memfd:`), write a
 * new header: the old content is forgotten. `memfd:` heaps are sealed against shrinking and
 * growing. −1 with errno and *error (if not NULL) set to a constant sentence; nothing is left open.
 */
int portal_heap_create(
	struct portal_heap *heap, const struct portal_heap_address *address, const char **error);

/*
 * The bridge's side: map the memory that the address names, or, for `memfd:`, received_fd, which is
 * taken over (also on failure) and must be a memfd sealed against shrinking; else −1. The header
 * with this id is looked for at the offsets where it can be. −1 with errno: EAGAIN when there is no
 * header with that id (another heap), EPROTO when what it says cannot be, EPERM for a memfd without
 * seal.
 */
int portal_heap_open(struct portal_heap *heap, const struct portal_heap_address *address,
	int received_fd, const uint8_t id[16], const char **error);

/*
 * portal_heap_open() in two steps, for a program that confines itself in between: map what the
 * address names without looking at it, later find the header. Not for `memfd:`.
 */
int portal_heap_map(
	struct portal_heap *heap, const struct portal_heap_address *address, const char **error);
int portal_heap_find_header(struct portal_heap *heap, const uint8_t id[16], const char **error);

/* Unmap and close. */
void portal_heap_finish(struct portal_heap *heap);

/*
 * Make a range's pages present now, so that using it faults none. For `memfd:` heaps, once for each
 * buffer; others are present from the begin. −1 with errno (ENOMEM, EFAULT: no memory behind it).
 */
int portal_heap_populate(struct portal_heap *heap, size_t offset, size_t size);

/* Bytes for wl_shm_create_pool over fd: at most PORTAL_HEAP_POOL_MAX. */
int32_t portal_heap_get_pool_size(const struct portal_heap *heap);

/* Where a heap offset is mapped; the caller has checked it. */
static inline uint8_t *portal_heap_at(const struct portal_heap *heap, size_t offset) {
	return heap->map + heap->base + offset;
}

/*
 * Time the mapping with copies to and from this end's half of the scratch area, a few milliseconds:
 * sets read_speed and write_speed. guest: which half.
 */
void portal_heap_measure(struct portal_heap *heap, bool guest);

/* A mapping that reads slower than this (MB/s) is uncached: do not read pixels from it twice. */
#define PORTAL_HEAP_SLOW_READ 1000

/* Who runs the hypervisor, and so has to own a heap's file. */
struct portal_heap_owner {
	uid_t user;
	gid_t group;
};

/*
 * Make the file behind a guest's heap device, or give an existing one this size. With dax, write
 * the information block by which Linux makes an nvdimm over this file a DAX device at boot, without
 * tools in the guest; its first usable byte is PORTAL_HEAP_DAX_BASE. The size must be a multiple of
 * 2 MiB. What the file held is gone. One that somebody has open in another size is left to them,
 * and a new file takes its place; so is one that others may read. Mode 0600 when new. For root the
 * file becomes the owner's; NULL leaves it with whom it is. −1 with errno: EPERM for what somebody
 * else could have made, and would see the guest's windows through: a file that is neither root's,
 * nor the owner's, nor of whoever calls.
 */
int portal_heap_make_file(
	const char *path, uint64_t size, bool dax, const struct portal_heap_owner *owner);
int portal_heap_format_file(const char *path, uint64_t size, bool dax); /* without an owner */

/* For a file that is to stay as it is, perhaps in use: looks whose it is, and for root makes it the
 * owner's. 0, or −1 with errno as above, also where others may read it. */
int portal_heap_take_file(const char *path, const struct portal_heap_owner *owner);

/* Has somebody else than this descriptor, open for reading and writing, the file open? Where that
 * cannot be known: no. */
bool portal_heap_file_is_in_use(int fd);

/* strerror() for the first two; English, static. */
const char *portal_heap_file_error(int error);

#endif
