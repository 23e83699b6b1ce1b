/*
 * The pixels of a surface: the newest buffer of the application that is not copied yet, and the
 * heap buffers that the controller reads.
 *
 * Each heap buffer knows what it misses (the damage since its last use), so that a copy moves just
 * that. There are as many as the controller's releases ask for: one where it releases inside the
 * commit, two where it holds the shown one. What is not in use just now is spare: where the heap is
 * full it goes to whoever lacks room, the one that was used longest ago first.
 */
#ifndef GUEST_AGENT_CONTENT_H
#define GUEST_AGENT_CONTENT_H

#include <pixman.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wayland-server-core.h>

struct agent;
struct connection;
struct content_slot;
struct wlr_buffer;

#define CONTENT_SLOTS 4

struct content {
	struct agent *agent;
	struct wlr_buffer *newest; // locked, not copied yet; NULL when nothing is newer
	bool cleared; // the newest state is: no buffer
	bool too_large; // said already
	pixman_region32_t damage; // of `newest` against what the controller was shown last
	struct content_slot *slots[CONTENT_SLOTS];
	struct content_slot *front; // what the controller was shown last
	struct content_slot *next; // reserved for `newest`
	void (*released)(struct content *content); // the controller gave a slot back
};

void content_init(
	struct content *content, struct agent *agent, void (*released)(struct content *content));
void content_finish(struct content *content);

/**
 * The application attached `buffer` (NULL: none) with `damage` in buffer coordinates. A buffer that
 * was waiting is released unread. To be called inside the surface's commit event.
 */
void content_attach(
	struct content *content, struct wlr_buffer *buffer, const pixman_region32_t *damage);

/** Nothing is shown any more and nothing kept. */
void content_clear(struct content *content);

/**
 * Finds room for the newest buffer; false when there is none. `sparingly`: draws over what is shown
 * where that has its size, and else takes what is spare, whosever it is.
 */
bool content_reserve(struct content *content, bool sparingly);

/** What content_reserve() would take sparingly: free or spare bytes of the heap. */
size_t content_wanted(struct content *content);

/** The bytes of the heap that are free or spare, in pieces of whatever size. */
size_t content_room(const struct agent *agent);

/**
 * Gives back what content_reserve() took of free room, since another surface of the same frame has
 * to wait: a frame that waits holds nothing new. Nobody is told, the heap is as it was before.
 */
void content_unreserve(struct content *content);

/**
 * Copies the newest buffer into the reserved slot, releases it, and returns the mirror buffer to
 * attach; `damage` becomes what changed for the controller. With `again` (the mirror surface is
 * new) and no newer buffer, it is the last one shown, all of it damaged. NULL when there is
 * nothing.
 */
struct wl_buffer *content_take(struct content *content, struct connection *connection, bool again,
	pixman_region32_t *damage);

/** The connection goes: drops the mirrors of its slots, pixels stay. */
void content_unrealize_all(struct connection *connection);

#endif
