#include "hostd/watchers.h"

#include <stdlib.h>

#include "base/must.h"

struct watcher {
	sd_varlink *call;
	watcher_build *build;
	char *controller;
	sd_json_variant *told;
	LIST_ENTRY(watcher) link; /* daemon.watchers */
};

static void watcher_free(struct watcher *watcher) {
	LIST_REMOVE(watcher, link);
	sd_varlink_unref(watcher->call);
	sd_json_variant_unref(watcher->told);
	free(watcher->controller);
	free(watcher);
}

static int handle_tell(sd_event_source *source, void *data) {
	struct daemon *daemon = data;
	struct watcher *watcher, *next;
	for (watcher = LIST_FIRST(&daemon->watchers); watcher; watcher = next) {
		next = LIST_NEXT(watcher, link);
		sd_json_variant *now = watcher->build(daemon, watcher->controller);
		if (!sd_json_variant_equal(now, watcher->told)) {
			sd_varlink_notify(watcher->call, now);
			sd_json_variant_unref(watcher->told);
			watcher->told = sd_json_variant_ref(now);
		}
		sd_json_variant_unref(now);
	}
	return 0;
}

int watchers_answer(struct daemon *daemon, sd_varlink *link, sd_varlink_method_flags_t flags,
	watcher_build *build, const char *controller) {
	sd_json_variant *now = build(daemon, controller);
	int result;
	if (flags & SD_VARLINK_METHOD_MORE) {
		struct watcher *watcher = must_alloc(1, sizeof(*watcher));
		watcher->call = sd_varlink_ref(link);
		watcher->build = build;
		watcher->controller = must_copy(controller);
		watcher->told = sd_json_variant_ref(now);
		LIST_INSERT_HEAD(&daemon->watchers, watcher, link);
		result = sd_varlink_notify(link, now);
	} else {
		result = sd_varlink_reply(link, now);
	}
	sd_json_variant_unref(now);
	return result;
}

void watchers_changed(struct daemon *daemon) {
	if (LIST_EMPTY(&daemon->watchers)) {
		return;
	}
	if (!daemon->tell &&
		sd_event_add_defer(daemon->loop, &daemon->tell, handle_tell, daemon) < 0) {
		return;
	}
	/* After whatever else this turn brings. */
	sd_event_source_set_priority(daemon->tell, TELL_PRIORITY);
	sd_event_source_set_enabled(daemon->tell, SD_EVENT_ONESHOT);
}

void watchers_forget(struct daemon *daemon, const sd_varlink *link) {
	struct watcher *watcher, *next;
	for (watcher = LIST_FIRST(&daemon->watchers); watcher; watcher = next) {
		next = LIST_NEXT(watcher, link);
		if (watcher->call == link) {
			watcher_free(watcher);
		}
	}
}

void watchers_finish(struct daemon *daemon) {
	while (!LIST_EMPTY(&daemon->watchers)) {
		watcher_free(LIST_FIRST(&daemon->watchers));
	}
	daemon->tell = sd_event_source_disable_unref(daemon->tell);
}
