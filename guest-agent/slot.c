#include "slot.h"
#include "agent.h"
#include "connection.h"
#include "content.h"
#include "copy.h"
#include <drm_fourcc.h>
#include <heap.h>
#include <heap_alloc.h>
#include <stdlib.h>
#include <wayland-client-protocol.h>
#include <wlr/types/wlr_buffer.h>

uint32_t slot_format(const struct agent *agent, uint32_t format) {
	if (copy_format_bpp(format) == 0) {
		return 0;
	}
	if (agent->connection == NULL || connection_has_format(agent->connection, format)) {
		return format;
	}
	return copy_format_converts(format) ? DRM_FORMAT_ARGB8888 : 0;
}

bool slot_geometry_of(
	const struct agent *agent, struct wlr_buffer *buffer, struct slot_geometry *geometry) {
	struct wlr_shm_attributes shm;
	uint32_t format;

	if (wlr_buffer_get_shm(buffer, &shm)) {
		format = shm.format;
	} else { // such as a single-pixel buffer
		void *data;
		size_t stride;
		if (!wlr_buffer_begin_data_ptr_access(
			    buffer, WLR_BUFFER_DATA_PTR_ACCESS_READ, &data, &format, &stride)) {
			return false;
		}
		wlr_buffer_end_data_ptr_access(buffer);
	}
	*geometry = (struct slot_geometry){
		.width = buffer->width,
		.height = buffer->height,
		.format = slot_format(agent, format),
	};
	geometry->bpp = copy_format_bpp(geometry->format);
	return geometry->bpp != 0;
}

/* pixman reads whole words, so rows begin on one. */
static int64_t stride_of(const struct slot_geometry *geometry) {
	return (geometry->width * (int64_t)geometry->bpp + 3) & ~INT64_C(3);
}

size_t slot_room_of(const struct slot_geometry *geometry) {
	return portal_heap_alloc_round((size_t)(stride_of(geometry) * geometry->height));
}

bool slot_fits(const struct content_slot *slot, const struct slot_geometry *geometry) {
	return slot->width == geometry->width && slot->height == geometry->height &&
	       slot->format == geometry->format;
}

void slot_drop_mirror(struct content_slot *slot) {
	if (slot->mirror != NULL) {
		wl_buffer_destroy(slot->mirror);
		slot->mirror = NULL;
		wl_list_remove(&slot->link);
	}
	slot->busy = false;
}

static size_t slot_size(const struct content_slot *slot) {
	return (size_t)slot->stride * (size_t)slot->height;
}

void slot_free(struct content_slot *slot) {
	slot_drop_mirror(slot);
	pixman_region32_fini(&slot->missing);
	portal_heap_alloc_put(slot->agent->heap_alloc, slot->offset);
	wl_list_remove(&slot->age_link);
	free(slot);
}

void slot_destroy(struct content_slot *slot) {
	struct agent *agent = slot->agent;
	slot_free(slot);
	agent_heap_freed(agent);
}

void slot_detach(struct content_slot *slot) {
	struct content *content = slot->content;
	for (size_t i = 0; i < CONTENT_SLOTS; i++) {
		if (content->slots[i] == slot) {
			content->slots[i] = NULL;
		}
	}
	if (content->front == slot) {
		content->front = NULL;
	}
	if (content->next == slot) {
		content->next = NULL;
	}
	slot->content = NULL;
}

void slot_abandon(struct content_slot *slot) {
	slot_detach(slot);
	if (!slot->busy) {
		slot_destroy(slot);
	}
}

static void slot_handle_release(void *data, struct wl_buffer *mirror) {
	struct content_slot *slot = data;
	struct agent *agent = slot->agent;
	slot->busy = false;
	if (slot->content == NULL) {
		slot_destroy(slot);
		return;
	}
	slot->content->released(slot->content);
	agent_heap_freed(agent);
}

static const struct wl_buffer_listener slot_listener = {.release = slot_handle_release};

static uint32_t shm_format(uint32_t drm_format) {
	switch (drm_format) {
	case DRM_FORMAT_ARGB8888:
		return WL_SHM_FORMAT_ARGB8888;
	case DRM_FORMAT_XRGB8888:
		return WL_SHM_FORMAT_XRGB8888;
	default:
		return drm_format; // all others have the same number
	}
}

struct wl_buffer *slot_realize(struct content_slot *slot, struct connection *connection) {
	if (slot->mirror == NULL) {
		slot->mirror = wl_shm_pool_create_buffer(connection->pool, (int32_t)slot->offset,
			slot->width, slot->height, slot->stride, shm_format(slot->format));
		wl_buffer_add_listener(slot->mirror, &slot_listener, slot);
		wl_list_insert(&connection->slots, &slot->link);
	}
	slot->busy = true;
	return slot->mirror;
}

struct content_slot *slot_create(struct agent *agent, const struct slot_geometry *geometry) {
	struct content_slot *slot = calloc(1, sizeof(*slot));
	if (slot == NULL) {
		return NULL;
	}
	slot->agent = agent;
	slot->fresh = true;
	slot->used = agent->frames;
	slot->width = geometry->width;
	slot->height = geometry->height;
	slot->format = geometry->format;
	slot->stride = (int32_t)stride_of(geometry);
	slot->offset = portal_heap_alloc_get(agent->heap_alloc, slot_size(slot), &slot->room);
	if (slot->offset == 0 ||
		slot->offset + slot_size(slot) > (size_t)portal_heap_get_pool_size(&agent->heap)) {
		if (slot->offset != 0) {
			portal_heap_alloc_put(agent->heap_alloc, slot->offset);
		}
		free(slot);
		return NULL;
	}
	// All of it is about to be written. Where this fails the pages come one by one.
	portal_heap_populate(&agent->heap, slot->offset, slot_size(slot));
	pixman_region32_init_rect(
		&slot->missing, 0, 0, (unsigned)slot->width, (unsigned)slot->height);
	wl_list_insert(agent->slots.prev, &slot->age_link);
	return slot;
}

bool slot_is_spare(const struct content_slot *slot) {
	const struct content *content = slot->content;
	struct slot_geometry geometry;

	if (content == NULL || slot->busy || slot == content->next) {
		return false;
	}
	return slot != content->front || content->cleared ||
	       (content->newest != NULL &&
		       slot_geometry_of(slot->agent, content->newest, &geometry) &&
		       !slot_fits(slot, &geometry));
}

/* Spare, and not used for `frames` of all contents. */
static bool slot_is_idle(const struct content_slot *slot, uint64_t frames) {
	return slot->agent->frames - slot->used >= frames && slot_is_spare(slot);
}

size_t slot_room_in_idle(const struct agent *agent, uint64_t frames) {
	const struct portal_heap_header *header = &agent->heap.header;
	size_t used = portal_heap_alloc_get_used(agent->heap_alloc);
	const struct content_slot *slot;

	wl_list_for_each (slot, &agent->slots, age_link) {
		used -= slot_is_idle(slot, frames) ? slot->room : 0;
	}
	return header->size - header->data_offset - used;
}

struct content_slot *slot_create_from_idle(
	struct agent *agent, const struct slot_geometry *geometry, uint64_t frames) {
	struct content_slot *created = NULL, *slot, *tmp;

	if (slot_room_of(geometry) > slot_room_in_idle(agent, frames)) {
		return NULL;
	}
	wl_list_for_each_safe (slot, tmp, &agent->slots, age_link) {
		if (slot_is_idle(slot, frames)) {
			slot_abandon(slot);
			created = slot_create(agent, geometry);
		}
		if (created != NULL) {
			break;
		}
	}
	return created;
}
