#include "policy/memory_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

/* Whom there is to count, and with what. */
struct count {
	struct memory_view *view;
	const struct policy *policy;
	const struct memory_domain *domains;
	size_t domains_count;
	struct memory_usage *usages; /* one for each VM of the view; they own nothing */
};

static const struct memory_domain *find_domain(const struct count *count, const char *name) {
	for (size_t i = 0; i < count->domains_count; i++) {
		if (strcmp(count->domains[i].name, name) == 0) {
			return &count->domains[i];
		}
	}
	return NULL;
}

/* `memory` is what the policy says. */
static struct memory_view_vm *add_vm(struct count *count, const char *name,
	const struct memory_domain *domain, uint64_t memory) {
	struct memory_view *view = count->view;
	count->usages = must_grow(count->usages, view->vms_count, sizeof(*count->usages));
	view->vms = must_grow(view->vms, view->vms_count, sizeof(*view->vms));
	struct memory_usage *usage = &count->usages[view->vms_count];
	*usage = domain && domain->usage ? *domain->usage : (struct memory_usage){.memory = memory};
	struct memory_view_vm *vm = &view->vms[view->vms_count++];
	*vm = (struct memory_view_vm){
		.name = name,
		.runs = domain && domain->runs,
		.memory = usage->memory,
		.page = usage->page,
	};
	vm->counted = vm->runs;
	return vm;
}

/* While no controller runs, the one that is going to may be any of them. */
static void count_controllers(struct memory_view *view) {
	struct memory_view_vm *most = NULL;
	for (size_t i = 0; i < view->vms_count; i++) {
		struct memory_view_vm *vm = &view->vms[i];
		if (!vm->role || strcmp(vm->role, "controller") != 0) {
			continue;
		}
		if (vm->runs) {
			return;
		}
		most = !most || vm->memory > most->memory ? vm : most;
	}
	if (most) {
		most->counted = true;
	}
}

static void find_policy_vms(struct count *count) {
	for (size_t i = 0; i < count->policy->vms_count; i++) {
		const struct policy_vm *policy = &count->policy->vms[i];
		bool router = policy->role == POLICY_ROLE_ROUTER;
		struct memory_view_vm *vm = add_vm(
			count, policy->name, find_domain(count, policy->domain), policy->memory);
		vm->role = router ? "router" : "controller";
		vm->counted |= router;
	}
	count_controllers(count->view);
}

/* The policy's name of the guest whose domain it is, else the domain's own. */
static const char *name_of(const struct count *count, const char *domain) {
	const struct memory_settings *settings = &count->policy->memory;
	for (size_t i = 0; i < settings->guests_count; i++) {
		const char *guest = settings->guests[i].name;
		if (strcmp(policy_guest_domain(count->policy, guest), domain) == 0) {
			return guest;
		}
	}
	return domain;
}

static void find_others(struct count *count, const struct strings *planned) {
	for (size_t i = 0; i < count->domains_count; i++) {
		const struct memory_domain *domain = &count->domains[i];
		if (domain->runs && !policy_find_domain(count->policy, domain->name) &&
			!strings_contain(planned, domain->name)) {
			add_vm(count, name_of(count, domain->name), domain, 0);
		}
	}
}

/* What the counted ones have; the caller's. */
static struct scheme_running *find_running(
	const struct count *count, const struct strings *heaps, size_t *running_count) {
	struct memory_view *view = count->view;
	struct memory_holder *holders = must_alloc(view->vms_count + 1, sizeof(*holders));
	size_t counted = 0;
	for (size_t i = 0; i < view->vms_count; i++) {
		if (view->vms[i].counted) {
			holders[counted++] = (struct memory_holder){
				.name = view->vms[i].name, .usage = &count->usages[i]};
		}
	}
	struct scheme_running *running = memory_holders_count(holders, counted, heaps);
	free(holders);
	*running_count = counted;
	for (size_t i = 0, k = 0; i < view->vms_count; i++) {
		view->vms[i].heaps = view->vms[i].counted ? running[k++].heap : 0;
	}
	return running;
}

/* The guests' domains, and their heaps, which are planned anew. */
static void find_planned(const struct count *count, const struct strings *guests,
	struct strings *planned, struct strings *heaps) {
	for (size_t i = 0; i < guests->count; i++) {
		const char *name = policy_guest_domain(count->policy, guests->items[i]);
		const struct memory_domain *domain = find_domain(count, name);
		const struct memory_shared *heap =
			domain && domain->usage ? memory_usage_heap(domain->usage) : NULL;
		strings_add(planned, name);
		if (heap) {
			strings_add(heaps, heap->path);
		}
	}
}

static int make_scheme(const struct count *count, const struct strings *guests,
	const struct scheme_running *running, size_t running_count, const struct memory_host *host,
	struct error *error) {
	struct memory_view *view = count->view;
	const struct memory_settings *settings = &count->policy->memory;
	if (scheme_init(&view->scheme, settings, host, running, running_count, error) < 0) {
		return -1;
	}
	for (size_t i = 0; i < guests->count; i++) {
		const struct memory_guest *guest = memory_settings_find(settings, guests->items[i]);
		const struct memory_domain *domain =
			find_domain(count, policy_guest_domain(count->policy, guests->items[i]));
		scheme_add(&view->scheme, settings, &view->history, guest,
			domain && domain->usage ? domain->usage->memory : 0,
			domain && domain->usage ? domain->usage->page : 0);
	}
	return scheme_make(&view->scheme, settings, error);
}

int memory_view_init(struct memory_view *view, const struct policy *policy, struct history *history,
	const struct memory_host *host, const struct memory_domain *domains, size_t domains_count,
	const struct strings *guests, struct error *error) {
	struct count count = {view, policy, domains, domains_count, NULL};
	struct strings all = {0}, planned = {0}, heaps = {0};
	*view = (struct memory_view){.history = *history};
	*history = (struct history){0};
	for (size_t i = 0; i < policy->memory.guests_count; i++) {
		strings_add(&all, policy->memory.guests[i].name);
	}
	guests = guests->count > 0 ? guests : &all;
	find_planned(&count, guests, &planned, &heaps);
	find_policy_vms(&count);
	find_others(&count, &planned);
	size_t running_count;
	struct scheme_running *running = find_running(&count, &heaps, &running_count);
	int status = make_scheme(&count, guests, running, running_count, host, error);
	free(running);
	free(count.usages);
	strings_finish(&all);
	strings_finish(&planned);
	strings_finish(&heaps);
	return status;
}

void memory_view_finish(struct memory_view *view) {
	scheme_finish(&view->scheme);
	history_finish(&view->history);
	free(view->vms);
	*view = (struct memory_view){0};
}
