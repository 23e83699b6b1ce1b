/*
 * The pixels of a surface: the newest buffer of the application that is not copied yet, and the
 * heap buffers that the controller reads.
 *
 * Each heap buffer knows what it misses (its damage since its last use), so that a copy moves just
 * that. There are as many as the controller's releases ask for: one where it releases inside the
 * commit, two where it holds the shown one.
 */
#ifndef GUEST_AGENT_CONTENT_H
#define GUEST_AGENT_CONTENT_H

#include <pixman.h>
#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

struct agent;
struct connection;
struct content;
struct wlr_buffer;

#define CONTENT_SLOTS 4

struct content_slot {
	struct content *content; // NULL: the slot is free
	uint64_t offset, size; // bytes in the heap
	int32_t width, height, stride; // pixels, pixels, bytes
	uint32_t format; // DRM fourcc
	bool busy; // the controller may read it
	bool stale; // of a former size: freed at its release
	uint32_t idle; // frames since its last use
	pixman_region32_t missing; // buffer coordinates
	struct wl_buffer *mirror;
};

struct content {
	struct agent *agent;
	struct wlr_buffer *newest; // locked, not copied yet; NULL when nothing is newer
	bool cleared; // the newest state is: no buffer
	pixman_region32_t damage; // of `newest` against what the controller was last shown
	struct content_slot slots[CONTENT_SLOTS];
	struct content_slot *front; // what the controller shows, or would
	struct content_slot *next; // reserved for `newest`
	void (*released)(struct content *content); // a slot became free
};

void content_init(struct content *content, struct agent *agent);
void content_finish(struct content *content);

/**
 * The application attached `buffer` (NULL: none) with `damage` in buffer coordinates. A buffer that
 * was waiting is released unread. Valid inside the surface's commit event.
 */
void content_attach(struct content *content, struct wlr_buffer *buffer,
	const pixman_region32_t *damage);

/** Nothing shown any more and nothing kept: all slots go, busy ones at their release. */
void content_clear(struct content *content);

/** Finds room for the newest buffer. False when it must wait for a release. */
bool content_reserve(struct content *content);

/**
 * Copies the newest buffer into the reserved slot, releases it, and returns the mirror buffer to
 * attach. `damage` becomes what changed for the controller. NULL when nothing can be shown.
 */
struct wl_buffer *content_copy(struct content *content, struct connection *connection,
	pixman_region32_t *damage);

/** After a reconnection: the last shown buffer again, all of it damaged; NULL when there is none. */
struct wl_buffer *content_again(struct content *content, struct connection *connection,
	pixman_region32_t *damage);

/** Drops the mirror buffers: the connection is going. Pixels stay. */
void content_unrealize(struct content *content);

#endif
