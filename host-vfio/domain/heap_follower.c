#include "domain/heap_follower.h"

#include <stdlib.h>

#include "base/must.h"
#include "domain/info.h"
#include "domain/manager-impl.h"

struct followed {
	struct heap_follower *follower;
	char *name, *domain;
	struct heap_unplug *unplug; /* the heap is to go; NULL: nothing is waited for */
	bool unplugged; /* there is nothing more to wait for */
};

struct heap_follower {
	struct domain_manager *manager;
	char *controller;
	struct followed *guests;
	size_t count;
	unsigned deadline_ms;
	heap_follower_handler handler;
	void *data;
	sd_event_source *wake;
};

static void tell(const struct followed *guest, bool came, int result, const struct error *error) {
	const struct heap_follower *follower = guest->follower;
	follower->handler(follower->data, guest->name, came, result, error);
}

static void handle_unplugged(void *data, int result, const struct error *error) {
	struct followed *guest = data;
	guest->unplugged = true;
	tell(guest, false, result, error);
	/* It may have started again meanwhile; but who did not answer is not asked without end. */
	if (result == 0) {
		heap_follower_notice(guest->follower);
	}
}

static int unplug(struct followed *guest, struct error *error) {
	struct heap_follower *follower = guest->follower;
	return heap_plug_detach(follower->manager, follower->controller, guest->name,
		follower->deadline_ms, handle_unplugged, guest, &guest->unplug, error);
}

static int plug(struct followed *guest, struct error *error) {
	struct heap_follower *follower = guest->follower;
	struct domain_info info;
	char *xml;
	int result = domain_manager_get_xml(follower->manager, guest->domain, true, &xml, error);
	if (result < 0) {
		return result;
	}
	result = domain_info_read(&info, xml, error);
	free(xml);
	if (result < 0) {
		return DOMAIN_FAILURE_REFUSED;
	}
	if (info.heap == DOMAIN_HEAP_UNSET) {
		domain_info_finish(&info);
		return HEAP_PLUG_SAME;
	}
	const struct domain_peer peer = {
		.guest = guest->name,
		.heap = {info.heap, info.heap_path, info.heap_size},
	};
	struct heap_plug_place place;
	result = heap_plug_attach(follower->manager, follower->controller, &peer, &place, error);
	domain_info_finish(&info);
	return result;
}

/* Is there a machine that could have the heap, or use it? */
static bool is_up(enum domain_state state) {
	return state == DOMAIN_RUNNING || state == DOMAIN_PAUSED || state == DOMAIN_STOPPING;
}

static void reconcile(struct followed *guest) {
	struct heap_follower *follower = guest->follower;
	enum domain_state controller, state;
	struct error error = {0};
	int result = domain_manager_get_state(
		follower->manager, follower->controller, &controller, &error);
	if (result == 0) {
		result = domain_manager_get_state(follower->manager, guest->domain, &state, &error);
	}
	if (result < 0) {
		tell(guest, true, result, &error);
		return;
	}
	/* What it had went with it, and what it is defined with stays. */
	if (!is_up(controller) ||
		heap_plug_is_defined(follower->manager, follower->controller, guest->name)) {
		return;
	}
	bool came = is_up(state);
	result = came ? plug(guest, &error) : unplug(guest, &error);
	if (came && result == HEAP_PLUG_OTHER) {
		came = false;
		result = unplug(guest, &error);
	}
	/* What is to go is told of when it has gone. */
	if (result < 0 || (came && result == HEAP_PLUG_DONE)) {
		tell(guest, came, result, &error);
	}
}

static int handle_wake(sd_event_source *source, void *data) {
	struct heap_follower *follower = data;
	for (size_t i = 0; i < follower->count; i++) {
		struct followed *guest = &follower->guests[i];
		if (guest->unplugged) {
			heap_unplug_destroy(guest->unplug);
			guest->unplug = NULL;
			guest->unplugged = false;
		}
		if (guest->unplug == NULL) {
			reconcile(guest);
		}
	}
	return 0;
}

struct heap_follower *heap_follower_create(struct domain_manager *manager, const char *controller,
	const struct heap_follower_guest *guests, size_t count, unsigned deadline_ms,
	heap_follower_handler handler, void *data) {
	struct heap_follower *follower = must_alloc(1, sizeof(*follower));
	follower->manager = manager;
	follower->controller = must_copy(controller);
	follower->deadline_ms = deadline_ms;
	follower->handler = handler;
	follower->data = data;
	follower->guests = must_alloc(count, sizeof(*follower->guests));
	follower->count = count;
	for (size_t i = 0; i < count; i++) {
		follower->guests[i] = (struct followed){
			.follower = follower,
			.name = must_copy(guests[i].name),
			.domain = must_copy(guests[i].domain),
		};
	}
	/* Once in the loop's next turn, and then after each notice. */
	if (sd_event_add_defer(manager->loop, &follower->wake, handle_wake, follower) < 0) {
		heap_follower_destroy(follower);
		return NULL;
	}
	return follower;
}

void heap_follower_destroy(struct heap_follower *follower) {
	if (follower == NULL) {
		return;
	}
	for (size_t i = 0; i < follower->count; i++) {
		heap_unplug_destroy(follower->guests[i].unplug);
		free(follower->guests[i].name);
		free(follower->guests[i].domain);
	}
	sd_event_source_disable_unref(follower->wake);
	free(follower->guests);
	free(follower->controller);
	free(follower);
}

void heap_follower_notice(struct heap_follower *follower) {
	if (follower != NULL) {
		sd_event_source_set_enabled(follower->wake, SD_EVENT_ONESHOT);
	}
}
