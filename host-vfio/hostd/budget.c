#include "hostd/budget.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/must.h"
#include "hostd/guest_call.h"
#include "inventory/json.h"
#include "policy/memory_view.h"

static char *history_path(const struct daemon *daemon) {
	return must_print("%s/heap-use.scfg", daemon->options->state);
}

static int load_history(const struct daemon *daemon, struct history *history, struct error *error) {
	char *path = history_path(daemon);
	int status = history_load(history, path, error);
	free(path);
	return status;
}

/* Who is to start. */
struct start {
	const char *domain;
	const struct memory_usage *usage; /* NULL: nothing is known of it */
	const struct strings *leaving; /* domains that will have ended by then; may be NULL */
};

/* Those that have memory then, and what it is. */
struct takers {
	struct strings names; /* as people call them */
	struct memory_holder *holders;
	struct scheme_running *running;
	size_t count;
};

/* The caller's. */
static char *call(const struct policy *policy, const char *domain) {
	const struct policy_vm *vm = policy_find_domain(policy, domain);
	if (vm) {
		return must_print("%s %s", vm->role == POLICY_ROLE_ROUTER ? "router" : "controller",
			vm->name);
	}
	for (size_t i = 0; i < policy->memory.guests_count; i++) {
		const char *guest = policy->memory.guests[i].name;
		if (strcmp(policy_guest_domain(policy, guest), domain) == 0) {
			return must_copy(guest);
		}
	}
	return must_copy(domain);
}

static void takers_init(
	struct takers *takers, const struct daemon *daemon, const struct start *start) {
	const struct domains *domains = &daemon->domains;
	struct strings apart = {0};
	*takers = (struct takers){0};
	takers->holders = must_alloc(domains->count + 1, sizeof(*takers->holders));
	for (size_t i = 0; i < domains->count; i++) {
		const struct domain_entry *entry = &domains->items[i];
		uint64_t heap = 0;
		if (strcmp(entry->name, start->domain) != 0 &&
			!(start->leaving && strings_contain(start->leaving, entry->name)) &&
			(guest_domain_is_starting(daemon, entry->name, &heap) ||
				domain_has_memory(entry))) {
			strings_take(&takers->names, call(&daemon->policy, entry->name));
			takers->holders[takers->count++] =
				(struct memory_holder){.usage = &entry->usage, .heap = heap};
		}
	}
	for (size_t i = 0; i < takers->count; i++) {
		takers->holders[i].name = takers->names.items[i];
	}
	/* What it shares with them is counted with it. */
	for (size_t i = 0; start->usage && i < start->usage->shared_count; i++) {
		strings_add(&apart, start->usage->shared[i].path);
	}
	takers->running = memory_holders_count(takers->holders, takers->count, &apart);
	strings_finish(&apart);
}

static void takers_finish(struct takers *takers) {
	strings_finish(&takers->names);
	free(takers->holders);
	free(takers->running);
}

static int check_fixed(struct daemon *daemon, const struct start *start, struct error *error) {
	struct takers takers;
	if (!daemon->policy.memory.planned || !start->usage) {
		return 0;
	}
	char *name = call(&daemon->policy, start->domain);
	const struct memory_usage *usage = start->usage;
	const struct scheme_start as_it_is = {
		name, usage->memory, memory_usage_total(usage) - usage->memory, usage->page};
	struct memory_host host;
	memory_host_read(&host, daemon->tree);
	takers_init(&takers, daemon, start);
	int status = scheme_check_start(
		&daemon->policy.memory, &host, takers.running, takers.count, &as_it_is, error);
	takers_finish(&takers);
	free(name);
	return status;
}

/* What another domain is defined with, or has, stays as large as it is. */
static bool is_fixed(const struct daemon *daemon, const struct start *start) {
	const struct memory_shared *heap = start->usage ? memory_usage_heap(start->usage) : NULL;
	if (!heap) {
		return start->usage != NULL; /* none */
	}
	for (size_t i = 0; i < daemon->domains.count; i++) {
		const struct domain_entry *entry = &daemon->domains.items[i];
		if (strcmp(entry->name, start->domain) != 0 &&
			memory_usage_has(&entry->usage, heap->path)) {
			return true;
		}
	}
	return false;
}

static int check_planned(struct daemon *daemon, const char *guest, const struct start *start,
	uint64_t *heap, struct error *error) {
	struct history history;
	struct takers takers;
	char *reason = NULL;
	if (load_history(daemon, &history, error) < 0) {
		return -1;
	}
	const struct memory_usage *usage = start->usage;
	const struct scheme_start planned = {
		guest, usage ? usage->memory : 0, 0, usage ? usage->page : 0};
	struct memory_host host;
	memory_host_read(&host, daemon->tree);
	takers_init(&takers, daemon, start);
	int status = scheme_plan_start(&daemon->policy.memory, &history, &host, takers.running,
		takers.count, &planned, heap, &reason, error);
	takers_finish(&takers);
	free(reason);
	history_finish(&history);
	return status;
}

/* What libvirt has said of its definition; NULL: nothing. */
static const struct memory_usage *find_usage(const struct daemon *daemon, const char *domain) {
	const struct domain_entry *entry = domains_find(&daemon->domains, domain);
	return entry && entry->usage_known ? &entry->usage : NULL;
}

int budget_check(struct daemon *daemon, const char *guest, uint64_t *heap, struct error *error) {
	const char *domain = policy_guest_domain(&daemon->policy, guest);
	const struct start start = {domain, find_usage(daemon, domain), NULL};
	*heap = 0;
	return memory_settings_find(&daemon->policy.memory, guest) && !is_fixed(daemon, &start)
		       ? check_planned(daemon, guest, &start, heap, error)
		       : check_fixed(daemon, &start, error);
}

int budget_claim(struct daemon *daemon, const char *domain, const struct memory_usage *usage,
	const struct strings *leaving, struct error *error) {
	const struct start start = {domain, usage ? usage : find_usage(daemon, domain), leaving};
	bool bound = daemon->policy.memory.refuse_unnamed ||
		     policy_names_domain(&daemon->policy, domain);
	int status = bound ? check_fixed(daemon, &start, error) : 0;
	if (status == 0) {
		domains_hold(&daemon->domains, domain, usage);
	}
	return status;
}

int budget_check_switch(struct daemon *daemon, const char *domain, const struct strings *leaving,
	struct error *error) {
	const struct start start = {domain, find_usage(daemon, domain), leaving};
	return check_fixed(daemon, &start, error);
}

/* What of its heaps is in no memory yet: a file of /dev/shm has what was written to it. */
static uint64_t find_missing(const struct memory_usage *usage) {
	uint64_t missing = 0;
	for (size_t i = 0; i < usage->shared_count; i++) {
		const struct memory_shared *shared = &usage->shared[i];
		struct stat status;
		uint64_t there = 0;
		if (lstat(shared->path, &status) == 0 && S_ISREG(status.st_mode)) {
			there = (uint64_t)status.st_blocks * 512;
		}
		if (there < shared->size &&
			__builtin_add_overflow(missing, shared->size - there, &missing)) {
			return UINT64_MAX;
		}
	}
	return missing;
}

bool budget_preflight(
	const struct daemon *daemon, const char *domain, struct preflight_vm *memory) {
	const struct memory_usage *usage = find_usage(daemon, domain);
	if (usage) {
		*memory = (struct preflight_vm){
			.memory = usage->memory,
			.page = usage->page,
			.heaps = memory_usage_total(usage) - usage->memory,
			.heaps_missing = find_missing(usage),
			.limit = usage->limit,
		};
	}
	return usage != NULL;
}

int budget_report(struct daemon *daemon, const char *guest, uint64_t used, struct error *error) {
	char *path = history_path(daemon);
	int status = file_make_directory(daemon->options->state, 0755, error);
	if (status == 0) {
		status = history_record(path, guest, used, HISTORY_SINCE_LAST,
			daemon->policy.memory.half_life, error);
	}
	free(path);
	return status;
}

/* The caller's; the usages are the entries'. */
static struct memory_domain *list_domains(const struct daemon *daemon) {
	const struct domains *domains = &daemon->domains;
	struct memory_domain *list = must_alloc(domains->count + 1, sizeof(*list));
	for (size_t i = 0; i < domains->count; i++) {
		const struct domain_entry *entry = &domains->items[i];
		list[i] = (struct memory_domain){
			.name = entry->name,
			.runs = domain_has_memory(entry),
			.usage = entry->usage_known ? &entry->usage : NULL,
		};
	}
	return list;
}

sd_json_variant *budget_json(struct daemon *daemon) {
	static const struct strings all;
	struct history history;
	struct memory_view view;
	struct memory_host host;
	struct error error;
	sd_json_variant *object = NULL;
	if (load_history(daemon, &history, &error) < 0) {
		json_set_string(&object, "reason", error.text);
		return object;
	}
	struct memory_domain *domains = list_domains(daemon);
	memory_host_read(&host, daemon->tree);
	int status = memory_view_init(&view, &daemon->policy, &history, &host, domains,
		daemon->domains.count, &all, &error);
	object = memory_view_json(&view, status < 0 ? error.text : NULL);
	memory_view_finish(&view);
	free(domains);
	return object;
}
