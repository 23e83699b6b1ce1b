#ifndef HOST_DOOR_DOOR_H
#define HOST_DOOR_DOOR_H

#include <channel.h>
#include <systemd/sd-event.h>

/*
 * The host's end of a controller VM's channel (portal-protocol(7), THE HOST'S DOOR): greets whoever
 * proves the controller's key, checks its calls, and hands them to somebody who answers. Nothing
 * that it reads makes it end, and nothing of it blocks.
 */

struct door;

/* One call, until it is answered. */
struct door_request;

struct door_call {
	uint32_t untrusted_method; /* enum portal_call_method, or of a later version */
	bool force;
	uint64_t untrusted_value;
	char guest[PORTAL_NAME_MAX + 1]; /* printable; empty for LIST only */
};

struct door_handlers {
	/* Answer it now or later, exactly once. */
	void (*call)(void *data, struct door_request *request);
	/* Who asked has gone. It is still to be answered, now or later. May be NULL. */
	void (*forgotten)(void *data, struct door_request *request);
	/* The stream is gone; errno, EPIPE when the controller's VM has closed it. */
	void (*lost)(void *data, int error);
	/* A line for the log about a session; `text` is printable. */
	void (*log)(void *data, int priority, const char *text);
};

struct door_options {
	struct portal_transport_listener *listener; /* the door's from now on, also on failure */
	const char *name; /* what this end calls itself in HELLO */
	const uint8_t *key; /* PORTAL_KEY_SIZE bytes, copied; NULL over unix: only */
};

/* Opens all that it needs: it works as well when the process can open nothing any more. NULL with
 * errno. */
struct door *door_create(sd_event *loop, const struct door_options *options,
	const struct door_handlers *handlers, void *data);
/* Requests that are open stay, and may be answered; nobody hears that. NULL is fine. */
void door_destroy(struct door *door);

const struct door_call *door_request_get_call(const struct door_request *request);

/*
 * Answers and frees it. `text` may be NULL and is for people: printable ASCII, or it is made so.
 * At most PORTAL_ANSWER_GUESTS_MAX guests.
 */
void door_request_answer(struct door_request *request, enum portal_call_error error,
	const struct portal_frame_guest *guests, size_t count, const char *text);

#endif
