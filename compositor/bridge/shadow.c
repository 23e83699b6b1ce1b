#include "shadow.h"

#include <errno.h>
#include <fcntl.h>
#include <pixman.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stream.h"
#include "wire-tables.h"

/* More rectangles than this cost more to walk than the pixels between them. */
#define RECTANGLES_MAX 32

struct shadow_buffer {
	bool used;
	uint32_t offset; /* in the heap's mapping and in the shadow's, base included */
	int32_t width, height, stride;
	uint32_t pixel_bytes;
	uint32_t surface; /* that showed it last, 0 when none did */
	uint32_t next, previous; /* of those that surface has shown, 0 at either end */
	pixman_region32_t missing; /* what the surface got since */
};

struct shadow_surface {
	bool used;
	bool attached; /* since the last commit */
	uint32_t pending, current; /* buffers, 0 for none */
	uint32_t first; /* of the buffers it has shown, 0 for none */
	bool damaged_whole; /* in surface coordinates, which say nothing of the buffer's */
	pixman_region32_t damage;
};

/* Ids of a client are dense: wire.h sees to it. */
struct bridge_shadow_connection {
	struct bridge_shadow *shadow;
	struct shadow_buffer *buffers;
	struct shadow_surface *surfaces;
	uint32_t n_buffers, n_surfaces; /* the highest id so far, and one */
};

int bridge_shadow_init(struct bridge_shadow *shadow, const struct portal_heap *heap) {
	*shadow = (struct bridge_shadow){.shown = *heap};
	struct portal_heap *shown = &shadow->shown;
	shown->map = NULL;
	shown->fd = memfd_create("portal-shadow", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *map = MAP_FAILED;
	if (shown->fd >= 0 && ftruncate(shown->fd, (off_t)shown->map_size) == 0 &&
		fcntl(shown->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
		map = mmap(NULL, shown->map_size, PROT_READ | PROT_WRITE, MAP_SHARED, shown->fd, 0);
	}
	if (map == MAP_FAILED) {
		int error = errno;
		portal_heap_finish(shown);
		errno = error;
		return -1;
	}
	shown->map = map;
	shadow->heap = heap;
	return 0;
}

void bridge_shadow_finish(struct bridge_shadow *shadow) {
	if (shadow->heap) {
		portal_heap_finish(&shadow->shown);
		shadow->heap = NULL;
	}
}

struct bridge_shadow_connection *bridge_shadow_connection_create(struct bridge_shadow *shadow) {
	struct bridge_shadow_connection *connection = calloc(1, sizeof(*connection));
	if (connection) {
		connection->shadow = shadow;
	}
	return connection;
}

static struct shadow_buffer *find_buffer(
	const struct bridge_shadow_connection *connection, uint32_t id) {
	bool known = id < connection->n_buffers && connection->buffers[id].used;
	return known ? &connection->buffers[id] : NULL;
}

static struct shadow_surface *find_surface(
	const struct bridge_shadow_connection *connection, uint32_t id) {
	bool known = id < connection->n_surfaces && connection->surfaces[id].used;
	return known ? &connection->surfaces[id] : NULL;
}

/* Out of the list of the surface that showed it last: nothing of it is known any more. */
static void unlink_buffer(
	struct bridge_shadow_connection *connection, struct shadow_buffer *buffer) {
	if (buffer->surface == 0) {
		return;
	}
	if (buffer->previous != 0) {
		connection->buffers[buffer->previous].next = buffer->next;
	} else {
		connection->surfaces[buffer->surface].first = buffer->next;
	}
	if (buffer->next != 0) {
		connection->buffers[buffer->next].previous = buffer->previous;
	}
	buffer->surface = buffer->next = buffer->previous = 0;
}

static void link_buffer(struct bridge_shadow_connection *connection, uint32_t id,
	uint32_t surface_id, struct shadow_surface *surface) {
	struct shadow_buffer *buffer = &connection->buffers[id];
	buffer->surface = surface_id;
	buffer->next = surface->first;
	if (surface->first != 0) {
		connection->buffers[surface->first].previous = id;
	}
	surface->first = id;
}

static void forget_buffer(struct bridge_shadow_connection *connection, uint32_t id) {
	struct shadow_buffer *buffer = find_buffer(connection, id);
	if (buffer) {
		unlink_buffer(connection, buffer);
		pixman_region32_fini(&buffer->missing);
		buffer->used = false;
	}
}

static void forget_surface(struct bridge_shadow_connection *connection, uint32_t id) {
	struct shadow_surface *surface = find_surface(connection, id);
	if (surface) {
		while (surface->first != 0) {
			unlink_buffer(connection, &connection->buffers[surface->first]);
		}
		pixman_region32_fini(&surface->damage);
		surface->used = false;
	}
}

void bridge_shadow_connection_destroy(struct bridge_shadow_connection *connection) {
	if (!connection) {
		return;
	}
	for (uint32_t i = 0; i < connection->n_buffers; i++) {
		forget_buffer(connection, i);
	}
	for (uint32_t i = 0; i < connection->n_surfaces; i++) {
		forget_surface(connection, i);
	}
	free(connection->buffers);
	free(connection->surfaces);
	free(connection);
}

/* An array of *count elements with room for an id, new ones zero. NULL without memory. */
static void *make_room(void *array, uint32_t *count, uint32_t id, size_t element) {
	if (id < *count) {
		return array;
	}
	uint32_t grown_count = id < 32 ? 64 : id * 2;
	char *grown = realloc(array, grown_count * element);
	if (!grown) {
		errno = ENOMEM;
		return NULL;
	}
	memset(grown + *count * element, 0, (grown_count - *count) * element);
	*count = grown_count;
	return grown;
}

static int create_buffer(struct bridge_shadow_connection *connection, const uint32_t *args) {
	uint32_t id = args[0];
	forget_buffer(connection, id);
	struct shadow_buffer *buffers =
		make_room(connection->buffers, &connection->n_buffers, id, sizeof(*buffers));
	if (!buffers) {
		return -1;
	}
	connection->buffers = buffers;
	struct shadow_buffer *buffer = &buffers[id];
	*buffer = (struct shadow_buffer){
		.used = true,
		.offset = args[1],
		.width = (int32_t)args[2],
		.height = (int32_t)args[3],
		.stride = (int32_t)args[4],
		.pixel_bytes = portal_wire_pixel_bytes(args[5]),
	};
	pixman_region32_init(&buffer->missing);
	return 0;
}

static int create_surface(struct bridge_shadow_connection *connection, uint32_t id) {
	forget_surface(connection, id);
	struct shadow_surface *surfaces =
		make_room(connection->surfaces, &connection->n_surfaces, id, sizeof(*surfaces));
	if (!surfaces) {
		return -1;
	}
	connection->surfaces = surfaces;
	struct shadow_surface *surface = &surfaces[id];
	*surface = (struct shadow_surface){.used = true};
	pixman_region32_init(&surface->damage);
	return 0;
}

static void add_damage(pixman_region32_t *region, const pixman_region32_t *damage) {
	pixman_region32_union(region, region, damage);
	if (pixman_region32_n_rects(region) > RECTANGLES_MAX) {
		pixman_box32_t box = *pixman_region32_extents(region);
		pixman_region32_reset(region, &box);
	}
}

static void copy_box(struct bridge_shadow *shadow, const struct shadow_buffer *buffer,
	const pixman_box32_t *box) {
	size_t stride = (size_t)buffer->stride;
	size_t length = (size_t)(box->x2 - box->x1) * buffer->pixel_bytes;
	size_t at =
		buffer->offset + (size_t)box->y1 * stride + (size_t)box->x1 * buffer->pixel_bytes;
	for (int32_t y = box->y1; y < box->y2; y++, at += stride) {
		bridge_stream_read(shadow->shown.map + at, shadow->heap->map + at, length);
		shadow->copied_bytes += length;
	}
}

/* What the surface's other buffers will have to catch up on. */
static void note_missing(struct bridge_shadow_connection *connection,
	const struct shadow_surface *surface, uint32_t shown) {
	for (uint32_t id = surface->first, next; id != 0; id = next) {
		struct shadow_buffer *other = &connection->buffers[id];
		next = other->next;
		if (id == shown) {
			continue;
		}
		if (surface->damaged_whole) {
			unlink_buffer(connection, other);
		} else {
			add_damage(&other->missing, &surface->damage);
		}
	}
}

/* Bring the shown buffer up to date. */
static void copy_buffer(struct bridge_shadow_connection *connection, uint32_t surface_id,
	struct shadow_surface *surface, struct shadow_buffer *buffer) {
	note_missing(connection, surface, surface->current);
	if (surface->damaged_whole || buffer->surface != surface_id) {
		pixman_region32_union_rect(&buffer->missing, &buffer->missing, 0, 0,
			(unsigned int)buffer->width, (unsigned int)buffer->height);
	}
	pixman_region32_union(&buffer->missing, &buffer->missing, &surface->damage);
	pixman_region32_intersect_rect(&buffer->missing, &buffer->missing, 0, 0,
		(unsigned int)buffer->width, (unsigned int)buffer->height);
	int count;
	const pixman_box32_t *boxes = pixman_region32_rectangles(&buffer->missing, &count);
	for (int i = 0; i < count; i++) {
		copy_box(connection->shadow, buffer, &boxes[i]);
	}
	pixman_region32_clear(&buffer->missing);
	if (buffer->surface != surface_id) {
		unlink_buffer(connection, buffer);
		link_buffer(connection, surface->current, surface_id, surface);
	}
}

static void commit(struct bridge_shadow_connection *connection, uint32_t id) {
	struct shadow_surface *surface = find_surface(connection, id);
	if (!surface) {
		return;
	}
	bool damaged = surface->damaged_whole || pixman_region32_not_empty(&surface->damage);
	if (surface->attached) {
		surface->current = surface->pending;
	}
	struct shadow_buffer *buffer = find_buffer(connection, surface->current);
	if (buffer && (surface->attached || damaged)) {
		copy_buffer(connection, id, surface, buffer);
	}
	surface->attached = surface->damaged_whole = false;
	pixman_region32_clear(&surface->damage);
}

static void damage_buffer(struct shadow_surface *surface, const uint32_t *args) {
	/* Wayland's rectangles reach as far as int32 does; pixman's sums do not. */
	int32_t x = (int32_t)args[0], y = (int32_t)args[1];
	int32_t width = (int32_t)args[2], height = (int32_t)args[3];
	if (width <= 0 || height <= 0) {
		return;
	}
	if (x > INT32_MAX - width || y > INT32_MAX - height) {
		surface->damaged_whole = true;
		return;
	}
	pixman_region32_t rectangle;
	pixman_region32_init_rect(&rectangle, x, y, (unsigned int)width, (unsigned int)height);
	add_damage(&surface->damage, &rectangle);
	pixman_region32_fini(&rectangle);
}

static void surface_request(struct bridge_shadow_connection *connection, uint32_t id,
	uint16_t opcode, const uint32_t *args) {
	struct shadow_surface *surface = find_surface(connection, id);
	if (!surface) {
		return;
	}
	switch (opcode) {
	case PORTAL_REQUEST_WL_SURFACE_DESTROY:
		forget_surface(connection, id);
		break;
	case PORTAL_REQUEST_WL_SURFACE_ATTACH:
		surface->attached = true;
		surface->pending = args[0];
		break;
	case PORTAL_REQUEST_WL_SURFACE_DAMAGE:
		surface->damaged_whole = true;
		break;
	case PORTAL_REQUEST_WL_SURFACE_DAMAGE_BUFFER:
		damage_buffer(surface, args);
		break;
	case PORTAL_REQUEST_WL_SURFACE_COMMIT:
		commit(connection, id);
		break;
	default:
		break;
	}
}

int bridge_shadow_request(struct bridge_shadow_connection *connection,
	const struct portal_wire_info *info, const void *message, size_t size) {
	uint32_t args[6] = {0}; /* as many as create_buffer has */
	size_t length = size - PORTAL_WIRE_HEADER;
	memcpy(args, (const char *)message + PORTAL_WIRE_HEADER,
		length < sizeof(args) ? length : sizeof(args));
	switch (info->interface) {
	case PORTAL_WIRE_WL_COMPOSITOR:
		if (info->opcode == PORTAL_REQUEST_WL_COMPOSITOR_CREATE_SURFACE) {
			return create_surface(connection, args[0]);
		}
		break;
	case PORTAL_WIRE_WL_SHM_POOL:
		if (info->opcode == PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER) {
			return create_buffer(connection, args);
		}
		break;
	case PORTAL_WIRE_WL_BUFFER:
		if (info->opcode == PORTAL_REQUEST_WL_BUFFER_DESTROY) {
			forget_buffer(connection, info->object);
		}
		break;
	case PORTAL_WIRE_WL_SURFACE:
		surface_request(connection, info->object, info->opcode, args);
		break;
	default:
		break;
	}
	return 0;
}
