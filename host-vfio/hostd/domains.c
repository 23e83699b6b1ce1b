#include "hostd/domains.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

static void finish_entries(struct domain_entry *items, size_t count) {
	for (size_t i = 0; i < count; i++) {
		free(items[i].name);
		memory_usage_finish(&items[i].usage);
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

static struct domain_entry *add(struct domains *domains, const char *name) {
	domains->items = must_grow(domains->items, domains->count, sizeof(*domains->items));
	struct domain_entry *entry = &domains->items[domains->count++];
	*entry = (struct domain_entry){.name = must_copy(name), .state = HYPERVISOR_UNKNOWN};
	return entry;
}

/* Nobody asks about one that the policy does not name and libvirt does not have. */
static void forget_absent(struct domains *domains) {
	size_t count = 0;
	for (size_t i = 0; i < domains->count; i++) {
		struct domain_entry *entry = &domains->items[i];
		bool absent = entry->state == DOMAIN_ABSENT || entry->state == HYPERVISOR_UNKNOWN;
		if (!entry->named && absent && !domain_has_memory(entry)) {
			free(entry->name);
			memory_usage_finish(&entry->usage);
		} else {
			domains->items[count++] = *entry;
		}
	}
	domains->count = count;
}

void domains_name(struct domains *domains, const struct strings *names) {
	for (size_t i = 0; i < domains->count; i++) {
		domains->items[i].named = false;
	}
	for (size_t i = 0; i < names->count; i++) {
		struct domain_entry *entry = find(domains, names->items[i]);
		entry = entry ? entry : add(domains, names->items[i]);
		entry->named = true;
	}
	forget_absent(domains);
}

static void set_usage(struct domain_entry *entry, const struct memory_usage *usage) {
	memory_usage_finish(&entry->usage);
	memory_usage_copy(&entry->usage, usage);
	entry->usage_known = true;
}

static bool runs(int state) {
	return state == DOMAIN_RUNNING || state == DOMAIN_PAUSED || state == DOMAIN_STOPPING;
}

/* True: this is of a life that the hook has told the end of. */
static bool hear_former(struct domain_entry *entry, int state) {
	if (entry->endings == 0) {
		return false;
	}
	if (!runs(state)) {
		entry->endings--;
		entry->state = state;
	}
	return true;
}

bool domains_set(struct domains *domains, const char *name, int state,
	const struct memory_usage *usage, bool *former) {
	struct domain_entry *entry = find(domains, name);
	entry = entry ? entry : add(domains, name);
	uint64_t heap = domain_heap_size(entry);
	int before = entry->state;
	/* A transient one is not defined any more when it is off. */
	state = state == DOMAIN_OFF && !usage && !entry->named ? DOMAIN_ABSENT : state;
	*former = hear_former(entry, state);
	if (!*former) {
		entry->state = state;
		entry->alive = runs(state);
	}
	/* libvirt's hook is heard at once and its events later: that it does not run yet is no news
	 * of one that was just allowed to start, nor that it runs of one that is gone. When libvirt
	 * comes back and tells all states, both are. */
	bool late = entry->hold == DOMAIN_HELD	     ? *former || !runs(state)
		    : entry->hold == DOMAIN_RELEASED ? runs(state)
						     : false;
	if (!late || !domains->known) {
		entry->hold = DOMAIN_AS_STATE;
	}
	if (usage) {
		set_usage(entry, usage);
	}
	bool changed = entry->state != before || heap != domain_heap_size(entry);
	bool told = entry->named && changed;
	forget_absent(domains);
	return told;
}

bool domains_set_usage(
	struct domains *domains, const char *name, const struct memory_usage *usage) {
	struct domain_entry *entry = find(domains, name);
	if (!entry) {
		return false;
	}
	uint64_t heap = domain_heap_size(entry);
	set_usage(entry, usage);
	return entry->named && heap != domain_heap_size(entry);
}

void domains_hold(struct domains *domains, const char *name, const struct memory_usage *usage) {
	struct domain_entry *entry = find(domains, name);
	entry = entry ? entry : add(domains, name);
	/* What runs already is counted by its state. */
	bool counted = runs(entry->state) && entry->endings == 0 && entry->hold != DOMAIN_RELEASED;
	entry->hold = counted ? DOMAIN_AS_STATE : DOMAIN_HELD;
	if (usage) {
		set_usage(entry, usage);
	}
}

void domains_started(struct domains *domains, const char *name) {
	domains_hold(domains, name, NULL);
	find(domains, name)->alive = true;
}

void domains_release(struct domains *domains, const char *name) {
	struct domain_entry *entry = find(domains, name);
	if (entry) {
		entry->endings += entry->alive;
		entry->alive = false;
		entry->hold = DOMAIN_RELEASED;
		forget_absent(domains);
	}
}

bool domain_has_memory(const struct domain_entry *entry) {
	return entry->hold == DOMAIN_HELD || (entry->hold == DOMAIN_AS_STATE && runs(entry->state));
}

uint64_t domain_heap_size(const struct domain_entry *entry) {
	const struct memory_shared *heap = memory_usage_heap(&entry->usage);
	return heap ? heap->size : 0;
}

void domains_forget(struct domains *domains, const char *reason) {
	for (size_t i = 0; i < domains->count; i++) {
		struct domain_entry *entry = &domains->items[i];
		/* Machines do not end because libvirt does. */
		entry->hold = domain_has_memory(entry) ? DOMAIN_HELD : DOMAIN_AS_STATE;
		entry->state = HYPERVISOR_UNKNOWN;
		entry->alive = false;
		entry->endings = 0; /* what was not told is not told any more */
	}
	domains->known = false;
	free(domains->reason);
	domains->reason = must_copy(reason);
}

void domains_know(struct domains *domains) {
	for (size_t i = 0; i < domains->count; i++) {
		struct domain_entry *entry = &domains->items[i];
		if (entry->state == HYPERVISOR_UNKNOWN) {
			entry->hold = DOMAIN_AS_STATE; /* libvirt has none of that name */
		}
	}
	forget_absent(domains);
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
