#include "content.h"
#include "agent.h"
#include "connection.h"
#include "copy.h"
#include "slot.h"
#include <heap.h>
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

size_t content_room(const struct agent *agent) {
	return slot_room_in_idle(agent, 0);
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
static struct content_slot *find_slot(
	struct content *content, const struct slot_geometry *geometry) {
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

/* In free room, or in that of slots that were not used for so many frames. */
static struct content_slot *add_slot(
	struct content *content, const struct slot_geometry *geometry, uint64_t frames) {
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
static void abandon_misfits(
	struct content *content, const struct slot_geometry *geometry, bool front) {
	for (size_t i = 0; i < CONTENT_SLOTS; i++) {
		struct content_slot *slot = content->slots[i];
		if (slot != NULL && !slot_fits(slot, geometry) &&
			(front || slot != content->front)) {
			slot_abandon(slot);
		}
	}
}

/* Other waits end with somebody's next frame or window; this one does not. */
static void warn_if_too_large(struct content *content, const struct slot_geometry *geometry) {
	const struct portal_heap_header *header = &content->agent->heap.header;

	if (!content->too_large && slot_room_of(geometry) > header->size - header->data_offset) {
		content->too_large = true;
		wlr_log(WLR_ERROR,
			"a buffer of %dx%d pixels is larger than the heap and stays unseen",
			geometry->width, geometry->height);
	}
}

bool content_reserve(struct content *content, bool sparingly) {
	struct slot_geometry geometry;
	if (content->newest == NULL) {
		return true;
	}
	if (!slot_geometry_of(content->agent, content->newest, &geometry)) {
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
	struct slot_geometry geometry;
	if (content->newest == NULL ||
		!slot_geometry_of(content->agent, content->newest, &geometry) ||
		(content->front != NULL && slot_fits(content->front, &geometry))) {
		return 0;
	}
	const struct content_slot *slot = find_slot(content, &geometry);
	return slot != NULL ? slot->room : slot_room_of(&geometry);
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
			&(struct slot_geometry){
				.width = content->front->width,
				.height = content->front->height,
				.format = content->front->format,
			},
			true);
		age_slots(content);
	} else if (content->front == NULL || !again ||
		   slot_format(content->agent, content->front->format) != content->front->format) {
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
