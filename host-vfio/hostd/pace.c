#include "hostd/pace.h"

#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/limit.h"
#include "base/must.h"

/* A connection whose call waits. */
struct waiter {
	sd_varlink *link;
	bool granted; /* it is about to be heard again, and may pass */
	STAILQ_ENTRY(waiter) entry; /* pace.waiters, the one that came first in front */
};

struct pace {
	struct pace_options options;
	struct limit limit;
	sd_event *loop;
	sd_event_source *timer;
	STAILQ_HEAD(, waiter) waiters;
	bool slow; /* somebody has waited since nobody's calls were counted last */
};

static void waiter_free(struct pace *pace, struct waiter *waiter) {
	STAILQ_REMOVE(&pace->waiters, waiter, waiter, entry);
	sd_varlink_unref(waiter->link);
	free(waiter);
}

static uint64_t now_of(const struct pace *pace) {
	uint64_t now = 0;
	sd_event_now(pace->loop, CLOCK_MONOTONIC, &now);
	return now;
}

static void set_timer(struct pace *pace) {
	uint64_t now = now_of(pace);
	sd_event_source_set_time(pace->timer, now + limit_wait(&pace->limit, now));
	sd_event_source_set_enabled(pace->timer, SD_EVENT_ONESHOT);
}

static struct waiter *find_next(const struct pace *pace) {
	struct waiter *waiter;
	STAILQ_FOREACH(waiter, &pace->waiters, entry) {
		if (!waiter->granted) {
			return waiter;
		}
	}
	return NULL;
}

static int handle_timer(sd_event_source *source, uint64_t usec, void *data) {
	struct pace *pace = data;
	struct waiter *next;
	while ((next = find_next(pace)) && limit_take(&pace->limit, now_of(pace))) {
		next->granted = true;
		if (sd_varlink_dispatch_again(next->link) < 0) {
			waiter_free(pace, next); /* its connection is ending */
		}
	}
	if (next) {
		set_timer(pace);
	}
	return 0;
}

struct pace *pace_create(sd_event *loop, const struct pace_options *options) {
	struct pace *pace = must_alloc(1, sizeof(*pace));
	pace->options = *options;
	pace->limit = (struct limit){.most = options->most, .interval = options->interval};
	pace->loop = sd_event_ref(loop);
	STAILQ_INIT(&pace->waiters);
	if (sd_event_add_time(loop, &pace->timer, CLOCK_MONOTONIC, UINT64_MAX,
		    options->interval / 4 + 1, handle_timer, pace) < 0 ||
		sd_event_source_set_enabled(pace->timer, SD_EVENT_OFF) < 0) {
		pace_destroy(pace);
		return NULL;
	}
	return pace;
}

void pace_destroy(struct pace *pace) {
	if (!pace) {
		return;
	}
	while (!STAILQ_EMPTY(&pace->waiters)) {
		waiter_free(pace, STAILQ_FIRST(&pace->waiters));
	}
	sd_event_source_disable_unref(pace->timer);
	sd_event_unref(pace->loop);
	free(pace);
}

static struct waiter *find(const struct pace *pace, const sd_varlink *link) {
	struct waiter *waiter;
	STAILQ_FOREACH(waiter, &pace->waiters, entry) {
		if (waiter->link == link) {
			return waiter;
		}
	}
	return NULL;
}

static void wait_for_turn(struct pace *pace, sd_varlink *link) {
	struct waiter *waiter = must_alloc(1, sizeof(*waiter));
	waiter->link = sd_varlink_ref(link);
	STAILQ_INSERT_TAIL(&pace->waiters, waiter, entry);
	if (!pace->slow) {
		pace->slow = true;
		pace->options.slowed(pace->options.data);
	}
	set_timer(pace);
}

bool pace_allows(struct pace *pace, sd_varlink *link, sd_varlink_method_flags_t flags) {
	if (flags & SD_VARLINK_METHOD_ONEWAY) {
		/* Not closed from within its handler, which sd-varlink does not survive. */
		shutdown(sd_varlink_get_fd(link), SHUT_RDWR);
		return false;
	}
	struct waiter *waiter = find(pace, link);
	if (waiter) {
		waiter_free(pace, waiter);
		return true;
	}
	if (!find_next(pace) && limit_take(&pace->limit, now_of(pace))) {
		pace->slow &= pace->limit.used > 1;
		return true;
	}
	wait_for_turn(pace, link);
	return false;
}

void pace_forget(struct pace *pace, const sd_varlink *link) {
	struct waiter *waiter = find(pace, link);
	if (waiter) {
		waiter_free(pace, waiter);
	}
}
