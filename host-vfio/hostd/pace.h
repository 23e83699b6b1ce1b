#ifndef HOST_HOSTD_PACE_H
#define HOST_HOSTD_PACE_H

#include <stdbool.h>
#include <systemd/sd-event.h>
#include <systemd/sd-varlink.h>

/*
 * How fast somebody is heard who is not trusted and has connections of his own, the door of a
 * controller: so many calls at once, and then one in each interval. What is more waits unread in
 * its connection until there is time for it, and whoever goes on writing there waits as well.
 */

struct pace;

struct pace_options {
	unsigned most; /* calls at once */
	uint64_t interval; /* µs */
	/* Called when a call waits that was preceded by a time in which none did. */
	void (*slowed)(void *data);
	void *data;
};

/* NULL where the loop takes no timer. */
struct pace *pace_create(sd_event *loop, const struct pace_options *options);
/* NULL is fine. */
void pace_destroy(struct pace *pace);

/*
 * For the begin of a method's handler: may it be done now? If not, the handler returns 0 and is
 * called again later, with the same call. A call that wants no answer would never make its caller
 * wait: it is not done, and its connection ends.
 */
bool pace_allows(struct pace *pace, sd_varlink *link, sd_varlink_method_flags_t flags);
/* The connection has ended. */
void pace_forget(struct pace *pace, const sd_varlink *link);

#endif
