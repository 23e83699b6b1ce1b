/*
 * The heap buffers of a content: room in the heap, the mirror that the controller reads it by, and
 * what is spare of all of them.
 */
#ifndef GUEST_AGENT_SLOT_H
#define GUEST_AGENT_SLOT_H

#include <pixman.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wayland-server-core.h>

struct agent;
struct connection;
struct content;
struct wlr_buffer;

/* A buffer in the heap. It outlives its content while the controller holds it. */
struct content_slot {
	struct agent *agent;
	struct content *content; // NULL: freed as soon as the controller releases it
	size_t offset, room; // in the heap, bytes
	int32_t width, height, stride; // pixels, pixels, bytes
	uint32_t format; // DRM fourcc
	bool busy; // the controller may read it
	bool fresh; // nothing was copied into it yet
	uint32_t idle; // frames of its content since its last use
	uint64_t used; // agent.frames at its last use
	pixman_region32_t missing; // buffer coordinates
	struct wl_buffer *mirror; // NULL while there is none
	struct wl_list link; // connection.slots, with a mirror
	struct wl_list age_link; // agent.slots
};

struct slot_geometry {
	int32_t width, height;
	uint32_t format; // in the heap
	unsigned bpp;
};

/** The format in which the controller of now can take `format`: that or ARGB8888; 0 for none. */
uint32_t slot_format(const struct agent *agent, uint32_t format);

/** Of the slot that an application's buffer needs; false when it cannot be read. */
bool slot_geometry_of(
	const struct agent *agent, struct wlr_buffer *buffer, struct slot_geometry *geometry);

/** Bytes of the heap that such a slot takes. */
size_t slot_room_of(const struct slot_geometry *geometry);

bool slot_fits(const struct content_slot *slot, const struct slot_geometry *geometry);

/** In free room; it has no content yet. NULL when there is none. */
struct content_slot *slot_create(struct agent *agent, const struct slot_geometry *geometry);

/**
 * The same in the room of spare slots that were not used for `frames` of all contents, the one used
 * longest ago first. Where not even the sum of them would do they are left to those who use them.
 */
struct content_slot *slot_create_from_idle(
	struct agent *agent, const struct slot_geometry *geometry, uint64_t frames);

/** The bytes of the heap that are free, or in spare slots that were not used for `frames`. */
size_t slot_room_in_idle(const struct agent *agent, uint64_t frames);

/**
 * Nobody would miss it but for a copy of the whole frame later on: not read by the controller, not
 * about to be written, and not the last frame, unless that waits to be replaced by another size or
 * by nothing.
 */
bool slot_is_spare(const struct content_slot *slot);

/** The buffer on the controller, made when there is none; it may be read from now on. */
struct wl_buffer *slot_realize(struct content_slot *slot, struct connection *connection);
void slot_drop_mirror(struct content_slot *slot);

/** The content has no use for it any more; the controller may still read it. */
void slot_abandon(struct content_slot *slot);
/** Its content does not know it any more. */
void slot_detach(struct content_slot *slot);

/** Gives its room back; with slot_destroy() those who wait for room hear of it. */
void slot_free(struct content_slot *slot);
void slot_destroy(struct content_slot *slot);

#endif
