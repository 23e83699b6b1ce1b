#ifndef PORTAL_MOTION_H
#define PORTAL_MOTION_H

/*
 * Lets a motion take the place of an older one that still waits in a queue: a guest that does not
 * read its events gets the last position, and every key, button and touch point in order. Used for
 * wl_pointer.motion and wl_touch.motion with the frame that closes them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct portal_queue;
struct portal_wire_info;

#define PORTAL_MOTION_DEVICES                                                                      \
	8 /* pointers and touch screens followed; the others do not coalesce */
#define PORTAL_MOTION_POINTS 10 /* touch points of one */

struct portal_motion {
	struct portal_motion_device {
		uint32_t object; /* 0: unused */
		bool merged; /* since the last frame, a motion went into an older one */
		bool queued; /* since the last frame, something was queued */
		uint32_t n_points;
		struct {
			uint32_t point;
			uint64_t at; /* its motion's position in the queue */
		} points[PORTAL_MOTION_POINTS];
	} devices[PORTAL_MOTION_DEVICES];
};

/*
 * Call for every event before it is queued. True when it need not be: it stands in the queue
 * already, or there is nothing for it to close.
 */
bool portal_motion_merge(struct portal_motion *motion, struct portal_queue *queue,
	const struct portal_wire_info *info, const uint8_t *message, size_t size);

#endif
