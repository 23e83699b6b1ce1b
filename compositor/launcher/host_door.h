#ifndef PORTAL_LAUNCHER_HOST_DOOR_H
#define PORTAL_LAUNCHER_HOST_DOOR_H

#include <stdbool.h>

#include "channel.h"

/*
 * The host, asked by a controller that is a virtual machine itself: portal-door(8) there, a channel
 * of its own here (portal-protocol(7), THE HOST'S DOOR). One call at a time: a virtio-serial port
 * has one user.
 */

/* A vm block's uri that says so: "door:TRANSPORT". */
#define HOST_DOOR_URI "door:"
bool host_door_is(const char *uri);

struct host_call {
	enum portal_call_method method;
	const char *guest; /* NULL for LIST */
	bool force;
	uint64_t value;
	unsigned timeout; /* seconds, for the answer */
};

/* Where an answer is put. */
struct host_answer {
	enum portal_call_error error;
	struct portal_frame_guest *guests; /* LIST: the caller frees them */
	size_t count;
	char text[PORTAL_BYE_TEXT_MAX + 1];
};

/*
 * Calls the door at `uri` and waits for the answer. A status of portal-run: RUN_OK whatever the
 * answer is; otherwise the host could not be asked, and why has been said.
 */
int host_door_call(const char *uri, const struct host_call *call, struct host_answer *answer);

/* The guest of that name in LIST's answer, or NULL. */
const struct portal_frame_guest *host_answer_find(
	const struct host_answer *answer, const char *guest);

#endif
