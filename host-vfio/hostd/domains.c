#include "hostd/domains.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

static void finish_entries(struct domain_entry *items, size_t count) {
	for (size_t i = 0; i < count; i++) {
		free(items[i].name);
	}
	free(items);
}

void domains_finish(struct domains *domains) {
	finish_entries(domains->items, domains->count);
	free(domains->reason);
	*domains = (struct domains){0};
}

static struct domain_entry *find(const struct domains *domains, const char *name) {
	for (size_t i = 0; i < domains->count; i++) {
		if (strcmp(domains->items[i].name, name) == 0) {
			return &domains->items[i];
		}
	}
	return NULL;
}

const struct domain_entry *domains_find(const struct domains *domains, const char *name) {
	return find(domains, name);
}

void domains_name(struct domains *domains, const struct strings *names) {
	struct domain_entry *items = must_alloc(names->count + 1, sizeof(*items));
	for (size_t i = 0; i < names->count; i++) {
		const struct domain_entry *former = find(domains, names->items[i]);
		items[i] = (struct domain_entry){
			.name = must_copy(names->items[i]),
			.state = former ? former->state : HYPERVISOR_UNKNOWN,
			.heap_size = former ? former->heap_size : 0,
		};
	}
	finish_entries(domains->items, domains->count);
	domains->items = items;
	domains->count = names->count;
}

bool domains_set(struct domains *domains, const char *name, int state, uint64_t heap_size) {
	struct domain_entry *entry = find(domains, name);
	if (!entry) {
		return false;
	}
	bool changed = entry->state != state || (heap_size && entry->heap_size != heap_size);
	entry->state = state;
	entry->heap_size = heap_size ? heap_size : entry->heap_size;
	return changed;
}

void domains_forget(struct domains *domains, const char *reason) {
	for (size_t i = 0; i < domains->count; i++) {
		domains->items[i].state = HYPERVISOR_UNKNOWN;
	}
	domains->known = false;
	free(domains->reason);
	domains->reason = must_copy(reason);
}

void domains_know(struct domains *domains) {
	domains->known = true;
	free(domains->reason);
	domains->reason = NULL;
}

int domains_state(const struct domains *domains, const char *name) {
	const struct domain_entry *entry = find(domains, name);
	return entry ? entry->state : HYPERVISOR_UNKNOWN;
}

const char *domains_state_name(int state) {
	static const char *const names[] = {
		[DOMAIN_ABSENT] = "undefined",
		[DOMAIN_OFF] = "off",
		[DOMAIN_RUNNING] = "running",
		[DOMAIN_PAUSED] = "paused",
		[DOMAIN_STOPPING] = "stopping",
	};
	if (state < 0 || (size_t)state >= sizeof(names) / sizeof(names[0])) {
		return "unknown";
	}
	return names[state];
}
