#include "motion.h"

#include <string.h>

#include "queue.h"
#include "wire-tables.h"
#include "wire.h"

enum kind { KIND_MOTION, KIND_FRAME, KIND_OTHER };

static enum kind classify(
	const struct portal_wire_info *info, const uint8_t *message, uint32_t *point) {
	*point = 0;
	if (info->interface == PORTAL_WIRE_WL_POINTER) {
		return info->opcode == PORTAL_EVENT_WL_POINTER_MOTION  ? KIND_MOTION
		       : info->opcode == PORTAL_EVENT_WL_POINTER_FRAME ? KIND_FRAME
								       : KIND_OTHER;
	}
	if (info->opcode == PORTAL_EVENT_WL_TOUCH_MOTION) {
		/* motion(time, id, x, y) */
		memcpy(point, message + PORTAL_WIRE_HEADER + 4, sizeof(*point));
		return KIND_MOTION;
	}
	return info->opcode == PORTAL_EVENT_WL_TOUCH_FRAME ? KIND_FRAME : KIND_OTHER;
}

/* Nothing of it waits in the queue, and no frame is open: it can be forgotten. */
static bool is_idle(const struct portal_motion_device *device, const struct portal_queue *queue) {
	for (unsigned int i = 0; i < device->n_points; i++) {
		if (device->points[i].at >= queue->position) {
			return false;
		}
	}
	return !device->merged && !device->queued;
}

static struct portal_motion_device *find_device(
	struct portal_motion *motion, const struct portal_queue *queue, uint32_t object) {
	struct portal_motion_device *unused = NULL;
	for (unsigned int i = 0; i < PORTAL_MOTION_DEVICES; i++) {
		if (motion->devices[i].object == object) {
			return &motion->devices[i];
		}
		if (!unused && is_idle(&motion->devices[i], queue)) {
			unused = &motion->devices[i];
		}
	}
	if (unused) {
		*unused = (struct portal_motion_device){.object = object};
	}
	return unused;
}

/* Remembers where a point's motion will stand, or puts it where an older one still stands. */
static bool merge_motion(struct portal_motion_device *device, struct portal_queue *queue,
	uint32_t point, const uint8_t *message, size_t size) {
	unsigned int i = 0;
	while (i < device->n_points && device->points[i].point != point) {
		i++;
	}
	if (i < device->n_points && device->points[i].at >= queue->position) {
		memcpy(portal_queue_at(queue, device->points[i].at), message, size);
		device->merged = true;
		return true;
	}
	if (i == device->n_points && i < PORTAL_MOTION_POINTS) {
		device->points[i].point = point;
		device->n_points++;
	}
	if (i < device->n_points) {
		device->points[i].at = portal_queue_end(queue);
	}
	device->queued = true;
	return false;
}

bool portal_motion_merge(struct portal_motion *motion, struct portal_queue *queue,
	const struct portal_wire_info *info, const uint8_t *message, size_t size) {
	if (info->interface != PORTAL_WIRE_WL_POINTER && info->interface != PORTAL_WIRE_WL_TOUCH) {
		return false;
	}
	uint32_t point;
	enum kind kind = classify(info, message, &point);
	struct portal_motion_device *device = find_device(motion, queue, info->object);
	if (!device) {
		return false;
	}
	bool merged = false;
	switch (kind) {
	case KIND_MOTION:
		return merge_motion(device, queue, point, message, size);
	case KIND_FRAME:
		/* The older motion has its own frame behind it. */
		merged = device->merged && !device->queued;
		device->merged = device->queued = false;
		return merged;
	case KIND_OTHER:
		/* Later motion must not overtake this. */
		device->n_points = 0;
		device->queued = true;
		return false;
	}
	return false;
}
