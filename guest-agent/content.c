#include "content.h"
#include "agent.h"
#include "connection.h"
#include "copy.h"
#include <drm_fourcc.h>
#include <heap.h>
#include <heap_alloc.h>
#include <stdlib.h>
#include <wayland-client-protocol.h>
#include <wlr/types/wlr_buffer.h>
#include <wlr/util/log.h>

// A second heap buffer that the controller's releases do not ask for goes after so many frames of
// its window; after so many of all windows, to another one that would have to draw over what is
// shown.
#define IDLE_FRAMES_MAX 120
#define IDLE_NONE UINT64_MAX // longer than anything

// More rectangles than this cost more to walk than the pixels between them.
#define DAMAGE_RECTS_MAX 32

struct geometry {
	int32_t width, height;
	uint32_t format; // in the heap
	unsigned bpp;
};

/* The format in which the controller of now can take it: its own or ARGB8888; 0 for none. */
static uint32_t heap_format(const struct agent *agent, uint32_t format) {
	if (copy_format_bpp(format) == 0) {
		return 0;
	}
	if (agent->connection == NULL || connection_has_format(agent->connection, format)) {
		return format;
	}
	return copy_format_converts(format) ? DRM_FORMAT_ARGB8888 : 0;
}

static bool geometry_of(
	const struct agent *agent, struct wlr_buffer *buffer, struct geometry *geometry) {
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
	*geometry = (struct geometry){
		.width = buffer->width,
		.height = buffer->height,
		.format = heap_format(agent, format),
	};
	geometry->bpp = copy_format_bpp(geometry->format);
	return geometry->bpp != 0;
}

/* pixman reads whole words, so rows begin on one. */
static int64_t stride_of(const struct geometry *geometry) {
	return (geometry->width * (int64_t)geometry->bpp + 3) & ~INT64_C(3);
}

/* Bytes of the heap. */
static size_t room_of(const struct geometry *geometry) {
	return portal_heap_alloc_round((size_t)(stride_of(geometry) * geometry->height));
}

static bool slot_fits(const struct content_slot *slot, const struct geometry *geometry) {
	return slot->width == geometry->width && slot->height == geometry->height &&
	       slot->format == geometry->format;
}

static void slot_drop_mirror(struct content_slot *slot) {
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

static void slot_free(struct content_slot *slot) {
	slot_drop_mirror(slot);
	pixman_region32_fini(&slot->missing);
	portal_heap_alloc_put(slot->agent->heap_alloc, slot->offset);
	wl_list_remove(&slot->age_link);
	free(slot);
}

static void slot_destroy(struct content_slot *slot) {
	struct agent *agent = slot->agent;
	slot_free(slot);
	agent_heap_freed(agent);
}

/* Its content does not know it any more. */
static void slot_detach(struct content_slot *slot) {
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

/* The content has no use for it any more; the controller may still read it. */
static void slot_abandon(struct content_slot *slot) {
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

static struct wl_buffer *slot_realize(struct content_slot *slot, struct connection *connection) {
	if (slot->mirror == NULL) {
		slot->mirror = wl_shm_pool_create_buffer(connection->pool, (int32_t)slot->offset,
			slot->width, slot->height, slot->stride, shm_format(slot->format));
		wl_buffer_add_listener(slot->mirror, &slot_listener, slot);
		wl_list_insert(&connection->slots, &slot->link);
	}
	slot->busy = true;
	return slot->mirror;
}

static struct content_slot *slot_create(struct agent *agent, const struct geometry *geometry) {
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

void content_init(
	struct content *content, struct agent *agent, void (*released)(struct content *content)) {
	*content = (struct content){.agent = agent, .released = released};
	pixman_region32_init(&content->damage);
}

void content_finish(struct content *content) {
	content_clear(content);
	pixman_region32_fini(&content->damage);
}

void content_clear(struct content *content) {
	for (size_t i = 0; i < CONTENT_SLOTS; i++) {
		if (content->slots[i] != NULL) {
			slot_abandon(content->slots[i]);
		}
	}
	wlr_buffer_unlock(content->newest);
	content->newest = NULL;
	content->cleared = false;
	pixman_region32_clear(&content->damage);
}

static void add_damage(pixman_region32_t *region, const pixman_region32_t *damage) {
	pixman_region32_union(region, region, damage);
	if (pixman_region32_n_rects(region) > DAMAGE_RECTS_MAX) {
		pixman_box32_t box = *pixman_region32_extents(region);
		pixman_region32_reset(region, &box);
	}
}

/*
 * Nobody would miss it but for a copy of the whole frame later on: not read by the controller, not
 * about to be written, and not the last frame, unless that waits to be replaced by another size or
 * by nothing.
 */
static bool slot_is_spare(const struct content_slot *slot) {
	const struct content *content = slot->content;
	struct geometry geometry;

	if (content == NULL || slot->busy || slot == content->next) {
		return false;
	}
	return slot != content->front || content->cleared ||
	       (content->newest != NULL && geometry_of(slot->agent, content->newest, &geometry) &&
		       !slot_fits(slot, &geometry));
}

/* Spare, and not used for `frames` of all contents. */
static bool slot_is_idle(const struct content_slot *slot, uint64_t frames) {
	return slot->agent->frames - slot->used >= frames && slot_is_spare(slot);
}

/* Free, and in slots that were not used for so long. */
static size_t room_in_idle(const struct agent *agent, uint64_t frames) {
	const struct portal_heap_header *header = &agent->heap.header;
	size_t used = portal_heap_alloc_get_used(agent->heap_alloc);
	const struct content_slot *slot;

	wl_list_for_each (slot, &agent->slots, age_link) {
		used -= slot_is_idle(slot, frames) ? slot->room : 0;
	}
	return header->size - header->data_offset - used;
}

size_t content_room(const struct agent *agent) {
	return room_in_idle(agent, 0);
}

void content_attach(
	struct content *content, struct wlr_buffer *buffer, const pixman_region32_t *damage) {
	wlr_buffer_unlock(content->newest);
	content->newest = NULL;
	content->cleared = buffer == NULL;
	if (buffer == NULL) {
		pixman_region32_clear(&content->damage);
	} else {
		content->newest = wlr_buffer_lock(buffer);
		add_damage(&content->damage, damage);
		for (size_t i = 0; i < CONTENT_SLOTS; i++) {
			if (content->slots[i] != NULL) {
				add_damage(&content->slots[i]->missing, damage);
			}
		}
	}
	if (content->front != NULL && !wl_list_empty(&content->agent->starved) &&
		slot_is_spare(content->front)) {
		agent_heap_freed(content->agent); // from now on
	}
}

/* Of the slots that are free to write: the one that was used last misses least. */
static struct content_slot *find_slot(struct content *content, const struct geometry *geometry) {
	struct content_slot *best = NULL;
	for (size_t i = 0; i < CONTENT_SLOTS; i++) {
		struct content_slot *slot = content->slots[i];
		if (slot == NULL || slot->busy || !slot_fits(slot, geometry)) {
			continue;
		}
		if (best == NULL || slot->idle < best->idle) {
			best = slot;
		}
	}
	return best;
}

/*
 * In the room of slots that were not used for so long, the one used longest ago first. Where not
 * even the sum of them would do they are left to those who use them.
 */
static struct content_slot *slot_create_from_idle(
	struct agent *agent, const struct geometry *geometry, uint64_t frames) {
	struct content_slot *created = NULL, *slot, *tmp;

	if (room_of(geometry) > room_in_idle(agent, frames)) {
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

/* In free room, or in that of slots that were not used for so many frames. */
static struct content_slot *add_slot(
	struct content *content, const struct geometry *geometry, uint64_t frames) {
	struct content_slot **place = content->slots;
	while (place < content->slots + CONTENT_SLOTS && *place != NULL) {
		place++;
	}
	if (place == content->slots + CONTENT_SLOTS) {
		return NULL;
	}
	struct content_slot *slot = slot_create(content->agent, geometry);
	if (slot == NULL) {
		slot = slot_create_from_idle(content->agent, geometry, frames);
	}
	if (slot != NULL) {
		slot->content = content;
		*place = slot;
	}
	return slot;
}

/*
 * Slots of a former size are of no more use, but for the one that is shown: the application may
 * come back to its size before there is room for the new one.
 */
static void abandon_misfits(struct content *content, const struct geometry *geometry, bool front) {
	for (size_t i = 0; i < CONTENT_SLOTS; i++) {
		struct content_slot *slot = content->slots[i];
		if (slot != NULL && !slot_fits(slot, geometry) &&
			(front || slot != content->front)) {
			slot_abandon(slot);
		}
	}
}

/* Other waits end with somebody's next frame or window; this one does not. */
static void warn_if_too_large(struct content *content, const struct geometry *geometry) {
	const struct portal_heap_header *header = &content->agent->heap.header;

	if (!content->too_large && room_of(geometry) > header->size - header->data_offset) {
		content->too_large = true;
		wlr_log(WLR_ERROR,
			"a buffer of %dx%d pixels is larger than the heap and stays unseen",
			geometry->width, geometry->height);
	}
}

bool content_reserve(struct content *content, bool sparingly) {
	struct geometry geometry;
	if (content->newest == NULL) {
		return true;
	}
	if (!geometry_of(content->agent, content->newest, &geometry)) {
		wlr_log(WLR_ERROR, "a buffer of an application cannot be read, left out");
		wlr_buffer_unlock(content->newest);
		content->newest = NULL;
		return true;
	}
	abandon_misfits(content, &geometry, false);
	bool over = content->front != NULL && slot_fits(content->front, &geometry);
	content->next = over && sparingly ? content->front : find_slot(content, &geometry);
	if (content->next == NULL) {
		// Who can draw over what is shown leaves their second slots to those who use them.
		uint64_t idle = over ? IDLE_FRAMES_MAX : sparingly ? 0 : IDLE_NONE;
		content->next = add_slot(content, &geometry, idle);
	}
	if (content->next == NULL && over) {
		// A controller that holds what it shows would wait for this frame as long as this
		// frame waits for it: drawing over that may tear, but goes on.
		content->next = content->front;
	}
	if (content->next == NULL) {
		warn_if_too_large(content, &geometry);
	}
	return content->next != NULL;
}

size_t content_wanted(struct content *content) {
	struct geometry geometry;
	if (content->newest == NULL || !geometry_of(content->agent, content->newest, &geometry) ||
		(content->front != NULL && slot_fits(content->front, &geometry))) {
		return 0;
	}
	const struct content_slot *slot = find_slot(content, &geometry);
	return slot != NULL ? slot->room : room_of(&geometry);
}

void content_unreserve(struct content *content) {
	struct content_slot *slot = content->next;

	content->next = NULL;
	if (slot != NULL && slot->fresh) {
		slot_detach(slot);
		slot_free(slot);
	}
}

/* Buffers that the controller's releases do not ask for any more are given back. */
static void age_slots(struct content *content) {
	for (size_t i = 0; i < CONTENT_SLOTS; i++) {
		struct content_slot *slot = content->slots[i];
		if (slot == NULL || slot == content->front) {
			continue;
		}
		slot->idle++;
		if (!slot->busy && slot->idle > IDLE_FRAMES_MAX) {
			slot_abandon(slot);
		}
	}
}

static bool copy_newest(struct content *content) {
	struct content_slot *slot = content->next;
	struct agent *agent = content->agent;
	void *data;
	uint32_t format;
	size_t stride;

	if (!wlr_buffer_begin_data_ptr_access(
		    content->newest, WLR_BUFFER_DATA_PTR_ACCESS_READ, &data, &format, &stride)) {
		return false;
	}
	pixman_region32_intersect_rect(&slot->missing, &slot->missing, 0, 0, (unsigned)slot->width,
		(unsigned)slot->height);
	void *to = portal_heap_at(&agent->heap, slot->offset);
	agent->stats.pixels_copied +=
		format == slot->format ? copy_region(to, (size_t)slot->stride, data, stride,
						 copy_format_bpp(format), &slot->missing)
				       : copy_convert(to, (size_t)slot->stride, data, stride,
						 format, slot->width, slot->height, &slot->missing);
	wlr_buffer_end_data_ptr_access(content->newest);
	pixman_region32_clear(&slot->missing);
	slot->fresh = false;
	slot->used = ++agent->frames;
	wl_list_remove(&slot->age_link);
	wl_list_insert(agent->slots.prev, &slot->age_link);
	return true;
}

static void take_damage(struct content *content, bool all, pixman_region32_t *damage) {
	struct content_slot *slot = content->front;
	if (all) {
		pixman_region32_union_rect(&content->damage, &content->damage, 0, 0,
			(unsigned)slot->width, (unsigned)slot->height);
	}
	pixman_region32_intersect_rect(
		damage, &content->damage, 0, 0, (unsigned)slot->width, (unsigned)slot->height);
	pixman_region32_clear(&content->damage);
}

struct wl_buffer *content_take(struct content *content, struct connection *connection, bool again,
	pixman_region32_t *damage) {
	bool resized = false;

	if (content->newest != NULL && content->next != NULL) {
		bool copied = copy_newest(content);
		wlr_buffer_unlock(content->newest);
		content->newest = NULL;
		if (!copied) {
			content->next = NULL;
			agent_heap_freed(content->agent);
			wlr_log(WLR_ERROR,
				"a buffer of an application went away while it was read");
			return NULL;
		}
		resized = content->front == NULL || content->front->width != content->next->width ||
			  content->front->height != content->next->height;
		content->front = content->next;
		content->next = NULL;
		content->front->idle = 0;
		abandon_misfits(content,
			&(struct geometry){
				.width = content->front->width,
				.height = content->front->height,
				.format = content->front->format,
			},
			true);
		age_slots(content);
	} else if (content->front == NULL || !again ||
		   heap_format(content->agent, content->front->format) != content->front->format) {
		return NULL; // a former controller's format can wait for the application's next
			     // frame
	}
	take_damage(content, resized || again, damage);
	return slot_realize(content->front, connection);
}

void content_unrealize_all(struct connection *connection) {
	struct content_slot *slot, *tmp;
	wl_list_for_each_safe (slot, tmp, &connection->slots, link) {
		slot_drop_mirror(slot);
		if (slot->content == NULL) {
			slot_destroy(slot);
		}
	}
}
