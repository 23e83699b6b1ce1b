#include "domain/events.h"

#include <libvirt/libvirt.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/must.h"

/* One handle or timeout of libvirt's. Its callbacks may update and remove any of them. */
struct watch {
	int id;
	sd_event_source *source;
	int interval; /* ms, -1: off; timeouts only */
	virEventHandleCallback handle;
	virEventTimeoutCallback timeout;
	void *data;
	virFreeCallback free_data;
	struct watch *next;
};

/* libvirt's interface has no place for a loop: this is the process' one. */
static struct {
	sd_event *loop;
	struct watch *watches;
	struct watch *removed; /* to be freed */
	sd_event_source *flush; /* frees them; NULL: nothing to do */
	int last_id;
} events;

static uint32_t to_epoll(int flags) {
	return (flags & VIR_EVENT_HANDLE_READABLE ? EPOLLIN : 0u) |
	       (flags & VIR_EVENT_HANDLE_WRITABLE ? EPOLLOUT : 0u);
}

static int from_epoll(uint32_t bits) {
	return (bits & EPOLLIN ? VIR_EVENT_HANDLE_READABLE : 0) |
	       (bits & EPOLLOUT ? VIR_EVENT_HANDLE_WRITABLE : 0) |
	       (bits & EPOLLERR ? VIR_EVENT_HANDLE_ERROR : 0) |
	       (bits & EPOLLHUP ? VIR_EVENT_HANDLE_HANGUP : 0);
}

static struct watch *find(int id) {
	struct watch *watch = events.watches;
	while (watch != NULL && watch->id != id) {
		watch = watch->next;
	}
	return watch;
}

static struct watch *add(void *data, virFreeCallback free_data) {
	struct watch *watch = must_alloc(1, sizeof(*watch));
	watch->id = ++events.last_id;
	watch->data = data;
	watch->free_data = free_data;
	watch->next = events.watches;
	events.watches = watch;
	return watch;
}

void domain_events_flush(void) {
	events.flush = sd_event_source_disable_unref(events.flush);
	while (events.removed != NULL) {
		struct watch *watch = events.removed;
		events.removed = watch->next;
		if (watch->free_data != NULL) {
			watch->free_data(watch->data);
		}
		free(watch);
	}
}

static int handle_flush(sd_event_source *source, void *data) {
	domain_events_flush();
	return 0;
}

/* libvirt wants its data freed outside of the call that removes the watch. */
static int remove_watch(int id) {
	struct watch **place = &events.watches;
	while (*place != NULL && (*place)->id != id) {
		place = &(*place)->next;
	}
	struct watch *watch = *place;
	if (watch == NULL) {
		return -1;
	}
	*place = watch->next;
	watch->source = sd_event_source_disable_unref(watch->source);
	watch->next = events.removed;
	events.removed = watch;
	if (events.flush == NULL) {
		sd_event_add_defer(events.loop, &events.flush, handle_flush, NULL);
	}
	return 0;
}

static int handle_io(sd_event_source *source, int fd, uint32_t bits, void *data) {
	struct watch *watch = data;
	watch->handle(watch->id, fd, from_epoll(bits), watch->data);
	return 0;
}

static int add_handle(
	int fd, int flags, virEventHandleCallback callback, void *data, virFreeCallback free_data) {
	struct watch *watch = add(data, free_data);
	watch->handle = callback;
	if (sd_event_add_io(events.loop, &watch->source, fd, to_epoll(flags), handle_io, watch) <
		0) {
		watch->free_data = NULL; /* stays the caller's after a failure */
		remove_watch(watch->id);
		return -1;
	}
	return watch->id;
}

static void update_handle(int id, int flags) {
	struct watch *watch = find(id);
	if (watch != NULL) {
		sd_event_source_set_io_events(watch->source, to_epoll(flags));
		sd_event_source_set_enabled(watch->source, flags == 0 ? SD_EVENT_OFF : SD_EVENT_ON);
	}
}

/* Timeouts repeat until libvirt changes them. */
static void arm(struct watch *watch) {
	if (watch->interval < 0) {
		sd_event_source_set_enabled(watch->source, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time_relative(watch->source, (uint64_t)watch->interval * 1000);
	sd_event_source_set_enabled(watch->source, SD_EVENT_ONESHOT);
}

static int handle_time(sd_event_source *source, uint64_t usec, void *data) {
	struct watch *watch = data;
	arm(watch);
	watch->timeout(watch->id, watch->data);
	return 0;
}

static int add_timeout(
	int interval, virEventTimeoutCallback callback, void *data, virFreeCallback free_data) {
	struct watch *watch = add(data, free_data);
	watch->timeout = callback;
	watch->interval = interval;
	if (sd_event_add_time(events.loop, &watch->source, CLOCK_MONOTONIC, UINT64_MAX, 0,
		    handle_time, watch) < 0) {
		watch->free_data = NULL;
		remove_watch(watch->id);
		return -1;
	}
	arm(watch);
	return watch->id;
}

static void update_timeout(int id, int interval) {
	struct watch *watch = find(id);
	if (watch != NULL) {
		watch->interval = interval;
		arm(watch);
	}
}

void domain_events_register(sd_event *loop) {
	events.loop = loop;
	virEventRegisterImpl(
		add_handle, update_handle, remove_watch, add_timeout, update_timeout, remove_watch);
}
