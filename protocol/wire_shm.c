#include <stdlib.h>

#include "wire-impl.h"

/* What pixman can draw with, and X11 make a window of. */
#define SIDE_MAX 32767

#define FOURCC(a, b, c, d)                                                                         \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/* One plane, whole bytes a pixel: what can be measured by stride and height (drm_fourcc.h). */
static const struct {
	uint32_t format;
	uint8_t bytes; /* per pixel */
} formats[] = {
	{0, 4}, /* ARGB8888, wl_shm's own number */
	{1, 4}, /* XRGB8888, likewise */
	{FOURCC('A', 'B', '2', '4'), 4},
	{FOURCC('X', 'B', '2', '4'), 4},
	{FOURCC('R', 'A', '2', '4'), 4},
	{FOURCC('R', 'X', '2', '4'), 4},
	{FOURCC('B', 'A', '2', '4'), 4},
	{FOURCC('B', 'X', '2', '4'), 4},
	{FOURCC('A', 'R', '3', '0'), 4},
	{FOURCC('X', 'R', '3', '0'), 4},
	{FOURCC('A', 'B', '3', '0'), 4},
	{FOURCC('X', 'B', '3', '0'), 4},
	{FOURCC('R', 'G', '2', '4'), 3},
	{FOURCC('B', 'G', '2', '4'), 3},
	{FOURCC('R', 'G', '1', '6'), 2},
	{FOURCC('B', 'G', '1', '6'), 2},
	{FOURCC('A', 'R', '1', '5'), 2},
	{FOURCC('X', 'R', '1', '5'), 2},
	{FOURCC('A', 'R', '1', '2'), 2},
	{FOURCC('X', 'R', '1', '2'), 2},
	{FOURCC('R', 'A', '1', '5'), 2},
	{FOURCC('R', 'X', '1', '5'), 2},
	{FOURCC('A', 'B', '4', '8'), 8},
	{FOURCC('X', 'B', '4', '8'), 8},
	{FOURCC('A', 'R', '4', 'H'), 8},
	{FOURCC('X', 'R', '4', 'H'), 8},
	{FOURCC('A', 'B', '4', 'H'), 8},
	{FOURCC('X', 'B', '4', 'H'), 8},
	{FOURCC('R', '8', ' ', ' '), 1},
};

uint32_t portal_wire_pixel_bytes(uint32_t untrusted_format) {
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (formats[i].format == untrusted_format) {
			return formats[i].bytes;
		}
	}
	return 0;
}

/* wl_shm counts in int32: no pool is larger. */
static enum portal_wire_verdict check_pool_size(
	struct portal_wire *wire, const struct portal_wire_call *call, int32_t untrusted_size) {
	if (untrusted_size <= 0) {
		return portal_wire_fail(wire, call, "a pool of %d bytes", untrusted_size);
	}
	int64_t most = (int64_t)wire->pool_max - wire->pool_base;
	if (untrusted_size > most) {
		return portal_wire_fail(wire, call, "a pool of %d bytes in a heap of %lld",
			untrusted_size, (long long)most);
	}
	return PORTAL_WIRE_PASS;
}

static struct portal_wire_pool *unused_pool(struct portal_wire *wire) {
	for (uint32_t i = 0; i < wire->n_pools; i++) {
		if (wire->pools[i].users == 0) {
			return &wire->pools[i];
		}
	}
	/* They are few: an application that makes its own way through the heap has one. */
	struct portal_wire_pool *grown =
		realloc(wire->pools, (wire->n_pools + 1) * sizeof(*wire->pools));
	if (!grown) {
		return NULL;
	}
	wire->pools = grown;
	return &wire->pools[wire->n_pools++];
}

enum portal_wire_verdict portal_wire_shm_create_pool(
	struct portal_wire *wire, struct portal_wire_call *call, uint32_t *data) {
	int32_t untrusted_size = (int32_t)call->values[2].untrusted_word;
	enum portal_wire_verdict verdict = check_pool_size(wire, call, untrusted_size);
	if (verdict == PORTAL_WIRE_PASS) {
		verdict = portal_wire_take(wire, call, PORTAL_QUOTA_POOLS, 1);
	}
	if (verdict == PORTAL_WIRE_PASS) {
		verdict = portal_wire_take(
			wire, call, PORTAL_QUOTA_POOL_BYTES, (uint64_t)untrusted_size);
	}
	if (verdict != PORTAL_WIRE_PASS) {
		return verdict;
	}
	struct portal_wire_pool *pool = unused_pool(wire);
	if (!pool) {
		return portal_wire_refuse(wire, call, "out of memory");
	}
	*pool = (struct portal_wire_pool){.size = (uint32_t)untrusted_size, .users = 1};
	*data = (uint32_t)(pool - wire->pools);
	portal_wire_rewrite(call, 2, pool->size + wire->pool_base);
	return PORTAL_WIRE_PASS;
}

static struct portal_wire_buffer *unused_buffer(struct portal_wire *wire) {
	if (wire->unused_buffer == PORTAL_WIRE_NO_SURFACE) {
		uint32_t capacity = wire->n_buffers ? wire->n_buffers * 2 : 16;
		struct portal_wire_buffer *grown =
			realloc(wire->buffers, capacity * sizeof(*grown));
		if (!grown) {
			return NULL;
		}
		wire->buffers = grown;
		for (uint32_t i = capacity; i > wire->n_buffers; i--) {
			grown[i - 1] =
				(struct portal_wire_buffer){.next_unused = wire->unused_buffer};
			wire->unused_buffer = i - 1;
		}
		wire->n_buffers = capacity;
	}
	struct portal_wire_buffer *buffer = &wire->buffers[wire->unused_buffer];
	wire->unused_buffer = buffer->next_unused;
	return buffer;
}

static struct portal_wire_pool *pool_of(
	struct portal_wire *wire, const struct portal_wire_call *call) {
	return &wire->pools[portal_objects_get(&wire->objects, call->id)->data];
}

enum portal_wire_verdict portal_wire_shm_create_buffer(
	struct portal_wire *wire, struct portal_wire_call *call, uint32_t *data) {
	struct portal_wire_pool *pool = pool_of(wire, call);
	int32_t offset = (int32_t)call->values[1].untrusted_word;
	int32_t width = (int32_t)call->values[2].untrusted_word;
	int32_t height = (int32_t)call->values[3].untrusted_word;
	int32_t stride = (int32_t)call->values[4].untrusted_word;
	uint32_t bytes = portal_wire_pixel_bytes(call->values[5].untrusted_word);
	if (bytes == 0) {
		return portal_wire_fail(
			wire, call, "format 0x%x is not known", call->values[5].untrusted_word);
	}
	if (offset < 0 || width <= 0 || height <= 0 || stride <= 0) {
		return portal_wire_fail(wire, call, "a buffer of %dx%d, stride %d, at %d", width,
			height, stride, offset);
	}
	if ((int64_t)width * bytes > stride) {
		return portal_wire_fail(wire, call, "a stride of %d for %d pixels of %u bytes",
			stride, width, bytes);
	}
	/* Each factor is below 2^31: the sum is below 2^63. */
	int64_t end = (int64_t)stride * height + offset;
	if (end > pool->size) {
		return portal_wire_fail(wire, call, "the buffer ends at %lld, its pool at %u",
			(long long)end, pool->size);
	}
	if (width > SIDE_MAX || height > SIDE_MAX) {
		return portal_wire_refuse(wire, call, "a buffer of %dx%d: no side may be over %d",
			width, height, SIDE_MAX);
	}
	uint64_t size = (uint64_t)width * (uint64_t)height * bytes;
	enum portal_wire_verdict verdict =
		portal_wire_take(wire, call, PORTAL_QUOTA_BUFFER_BYTES, size);
	if (verdict != PORTAL_WIRE_PASS) {
		return verdict;
	}
	struct portal_wire_buffer *buffer = unused_buffer(wire);
	if (!buffer) {
		portal_wire_give(wire, PORTAL_QUOTA_BUFFER_BYTES, size);
		return portal_wire_refuse(wire, call, "out of memory");
	}
	*buffer = (struct portal_wire_buffer){
		.serial = ++wire->buffer_serial,
		.pool = (uint32_t)(pool - wire->pools),
		.width = width,
		.height = height,
		.bytes = size,
	};
	*data = (uint32_t)(buffer - wire->buffers);
	pool->users++;
	portal_wire_rewrite(call, 1, (uint32_t)offset + wire->pool_base);
	return PORTAL_WIRE_PASS;
}

enum portal_wire_verdict portal_wire_shm_resize(
	struct portal_wire *wire, struct portal_wire_call *call) {
	struct portal_wire_pool *pool = pool_of(wire, call);
	int32_t untrusted_size = (int32_t)call->values[0].untrusted_word;
	enum portal_wire_verdict verdict = check_pool_size(wire, call, untrusted_size);
	if (verdict != PORTAL_WIRE_PASS) {
		return verdict;
	}
	uint32_t size = (uint32_t)untrusted_size;
	if (size < pool->size) {
		return portal_wire_fail(
			wire, call, "a pool of %u bytes cannot shrink to %u", pool->size, size);
	}
	verdict = portal_wire_take(wire, call, PORTAL_QUOTA_POOL_BYTES, size - pool->size);
	if (verdict != PORTAL_WIRE_PASS) {
		return verdict;
	}
	pool->size = size;
	portal_wire_rewrite(call, 0, size + wire->pool_base);
	return PORTAL_WIRE_PASS;
}

enum portal_wire_verdict portal_wire_shm_format(
	struct portal_wire *wire, struct portal_wire_call *call) {
	return portal_wire_pixel_bytes(call->values[0].untrusted_word) ? PORTAL_WIRE_PASS
								       : PORTAL_WIRE_HIDE;
}

void portal_wire_shm_drop_buffer(struct portal_wire *wire, uint32_t data) {
	struct portal_wire_buffer *buffer = &wire->buffers[data];
	portal_wire_give(wire, PORTAL_QUOTA_BUFFER_BYTES, buffer->bytes);
	portal_wire_shm_drop_pool(wire, buffer->pool);
	*buffer = (struct portal_wire_buffer){.next_unused = wire->unused_buffer};
	wire->unused_buffer = data;
}

void portal_wire_shm_drop_pool(struct portal_wire *wire, uint32_t data) {
	struct portal_wire_pool *pool = &wire->pools[data];
	if (--pool->users == 0) {
		portal_wire_give(wire, PORTAL_QUOTA_POOLS, 1);
		portal_wire_give(wire, PORTAL_QUOTA_POOL_BYTES, pool->size);
	}
}
