#include "hostd/brain-impl.h"

#include <stdlib.h>

#include "base/must.h"
#include "hostd/budget.h"
#include "hostd/survey.h"

/* A person's change, until what is under way has ended. */
struct waiting {
	struct order *order;
	enum change_kind kind;
	STAILQ_ENTRY(waiting) link; /* brain.waiting */
};

void brain_answer_switch(struct brain *brain, const char *problem) {
	struct order *order = brain->switching;
	brain->switching = NULL;
	if (!order) {
		return;
	}
	char *object = must_copy(order->controller ? order->controller : "the host");
	if (problem) {
		order_fail(order, object, "Failed", "%s", problem);
	} else {
		order_done(order, object, NULL);
	}
	free(object);
}

/* Found out before anything is shut down for it. */
static bool has_memory_for(struct daemon *daemon, const struct policy_vm *vm, struct error *error) {
	struct strings leaving = brain_rivals(daemon, vm);
	int status = budget_check_switch(daemon, vm->domain, &leaving, error);
	strings_finish(&leaving);
	return status == 0;
}

void brain_switch(struct order *order) {
	struct brain *brain = order->daemon->brain;
	const char *name = order->controller;
	const struct policy_vm *vm = name ? policy_find_vm(&order->daemon->policy, name) : NULL;
	const struct core_vm *core = vm ? core_find(&brain->core, name) : NULL;
	const struct domains *domains = &order->daemon->domains;
	struct error error;
	if (name && (!vm || vm->role != POLICY_ROLE_CONTROLLER)) {
		order_fail(
			order, name, "NoSuchController", "the policy has no controller %s", name);
	} else if (!domains->known) {
		order_fail(order, name, "NoLibvirt", "%s",
			domains->reason ? domains->reason : "libvirt has not answered yet");
	} else if (brain->switching) {
		order_fail(order, name, "Busy", "a switch is under way already");
	} else if (vm && domains_state(domains, vm->domain) == DOMAIN_ABSENT) {
		order_fail(order, name, "Refused", "libvirt has no domain %s", vm->domain);
	} else if (core && core->state == CORE_STOPPING) {
		order_fail(order, name, "Busy", "%s is just shutting down", name);
	} else if (vm && (!core || core->state == CORE_OFF) &&
		   !has_memory_for(order->daemon, vm, &error)) {
		order_fail(order, name, "Refused", "%s", error.text);
	} else {
		brain->switching = order;
		core_switch(&brain->core, name, order->force);
		survey_request(order->daemon);
	}
}

static struct strings list_of(char **strv) {
	struct strings list = {0};
	for (size_t i = 0; strv && strv[i]; i++) {
		strings_add(&list, strv[i]);
	}
	return list;
}

static void handle_hand_ended(void *data, const char *error, const char *reason) {
	struct brain *brain = data;
	struct order *order = brain->by_hand->order;
	if (error) {
		order_fail(order, NULL, error, "%s", reason);
	} else {
		order_done(order, NULL, NULL);
	}
	free(brain->by_hand);
	brain->by_hand = NULL;
	core_machine_changed(&brain->core);
	survey_request(brain->daemon);
}

/* What a person takes or returns is no more the policy's affair. */
static int disown(struct brain *brain, const struct strings *names, struct error *error) {
	struct strings addresses = {0};
	for (size_t i = 0; i < names->count; i++) {
		const struct pci_device *device = known_resolve(
			&brain->daemon->known, &brain->daemon->machine, names->items[i], NULL);
		if (device) {
			strings_add(&addresses, device->name);
		}
	}
	int status = brain_note_assigned(brain, &addresses, false, error);
	strings_finish(&addresses);
	return status;
}

void brain_begin_by_hand(struct brain *brain) {
	static const struct change_handlers handlers = {brain_handle_progress, handle_hand_ended};
	struct waiting *next = STAILQ_FIRST(&brain->waiting);
	if (!next || brain->daemon->change || brain->core.attaching.count > 0) {
		return;
	}
	STAILQ_REMOVE_HEAD(&brain->waiting, link);
	brain->by_hand = next;
	struct strings names = list_of(next->order->devices);
	struct strings unguarded = list_of(next->order->unguard);
	struct error error;
	if (next->kind != CHANGE_RECOVER && disown(brain, &names, &error) < 0) {
		handle_hand_ended(brain, "Refused", error.text);
	} else {
		const struct change_order order = {
			.kind = next->kind,
			.names = &names,
			.unguarded = &unguarded,
			.stop_holders = next->order->stop_holders,
			.suspend = next->order->suspend,
		};
		change_begin(brain->daemon, &order, &handlers, brain);
	}
	strings_finish(&names);
	strings_finish(&unguarded);
}

void brain_change(struct order *order, enum change_kind kind) {
	struct brain *brain = order->daemon->brain;
	struct waiting *waiting = must_alloc(1, sizeof(*waiting));
	*waiting = (struct waiting){.order = order, .kind = kind};
	STAILQ_INSERT_TAIL(&brain->waiting, waiting, link);
	survey_request(order->daemon);
}

void brain_orders_finish(struct brain *brain) {
	while (!STAILQ_EMPTY(&brain->waiting)) {
		struct waiting *first = STAILQ_FIRST(&brain->waiting);
		STAILQ_REMOVE_HEAD(&brain->waiting, link);
		free(first);
	}
	free(brain->by_hand);
}
