#include "hostd/brain-impl.h"

#include <stdlib.h>

#include "base/must.h"
#include "hostd/budget.h"
#include "hostd/survey.h"
#include "inventory/json.h"
#include "transaction/transaction.h"

/* A person's change, until what is under way has ended. */
struct waiting {
	struct order *order;
	enum change_kind kind;
	bool plans; /* what a switch would do, and does nothing */
	sd_json_variant *answer; /* of one that plans, as far as it is known */
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

/* One that cannot be is refused before anything is shut down for it. */
static bool can_switch(struct order *order) {
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
		return true;
	}
	return false;
}

/* What becomes of a change under way is what the switch begins with: nobody is shut down for it
 * before. Nor for one that an unfinished change will refuse. */
static bool is_settled(struct order *order) {
	const struct daemon *daemon = order->daemon;
	const struct waiting *by_hand = daemon->brain->by_hand;
	char *journals = must_print("%s/transactions", daemon->options->state);
	const struct transaction_host host = {.journals = journals};
	struct error error;
	bool settled = false;
	if (daemon->change && !(by_hand && by_hand->plans)) {
		order_fail(order, order->controller, "Busy",
			"a change of devices is under way: try again when it has ended");
	} else if (transaction_is_blocked(&host, &error)) {
		order_fail(order, order->controller, "Refused", "%s", error.text);
	} else {
		settled = true;
	}
	free(journals);
	return settled;
}

void brain_switch(struct order *order) {
	struct brain *brain = order->daemon->brain;
	if (can_switch(order) && is_settled(order)) {
		brain->switching = order;
		core_switch(&brain->core, order->controller, order->force);
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

static void waiting_free(struct waiting *waiting) {
	sd_json_variant_unref(waiting->answer);
	free(waiting);
}

static void handle_hand_ended(void *data, const char *error, const char *reason) {
	struct brain *brain = data;
	struct waiting *waiting = brain->by_hand;
	const char *object = waiting->plans && !waiting->order->controller ? "the host" : NULL;
	if (error) {
		order_fail(waiting->order, object, error, "%s", reason);
	} else {
		order_done(waiting->order, object, waiting->answer);
	}
	core_others_change_ended(&brain->core);
	if (!waiting->plans) {
		core_machine_changed(&brain->core);
	}
	waiting_free(waiting);
	brain->by_hand = NULL;
	survey_request(brain->daemon);
}

/* One of the plans, or all findings. */
static void handle_hand_plan(void *data, sd_json_variant *object) {
	struct brain *brain = data;
	struct waiting *waiting = brain->by_hand;
	sd_json_variant *findings = sd_json_variant_by_key(object, "findings");
	sd_json_variant *plans = sd_json_variant_by_key(waiting->answer, "plans");
	if (findings) {
		json_set(&waiting->answer, "findings", sd_json_variant_ref(findings));
	} else {
		plans = sd_json_variant_ref(plans);
		json_append(&plans, sd_json_variant_ref(object));
		json_set(&waiting->answer, "plans", plans);
	}
}

static const struct change_handlers hand_handlers = {
	brain_handle_progress, handle_hand_plan, handle_hand_ended};

static sd_json_variant *list_json(const struct strings *list) {
	sd_json_variant *array = json_array();
	for (size_t i = 0; i < list->count; i++) {
		json_append_string(&array, list->items[i]);
	}
	return array;
}

/* The memory that a VM locks is compared with what there is only where nobody has to leave any. */
static void begin_plan(struct brain *brain, struct waiting *waiting) {
	struct daemon *daemon = brain->daemon;
	const char *name = waiting->order->controller;
	const struct policy_vm *vm = name ? policy_find_vm(&daemon->policy, name) : NULL;
	const struct core_vm *core = vm ? core_find(&brain->core, name) : NULL;
	static const struct strings nothing;
	struct core_foresight foresight;
	struct preflight_vm memory;
	brain_foresee(daemon, name, &foresight);
	json_set(&waiting->answer, "leaving", list_json(&foresight.leaving));
	json_set(&waiting->answer, "returning", list_json(&foresight.returning));
	json_set(&waiting->answer, "plans", json_array());
	bool starts = core && core->state == CORE_OFF && foresight.leaving.count == 0 &&
		      budget_preflight(daemon, vm->domain, &memory);
	const struct change_order order = {
		.kind = CHANGE_RELEASE,
		.names = &foresight.taking,
		.unguarded = &foresight.taking,
		.vm = starts ? &memory : NULL,
		.dry_run = true,
	};
	/* Nothing is moved, and nothing else is begun before it has ended. */
	core_others_change(&brain->core, &nothing);
	change_begin(daemon, &order, &hand_handlers, brain);
	core_foresight_finish(&foresight);
}

/* What cannot be found is left out: the change will say so. */
static struct strings find_addresses(const struct brain *brain, const struct strings *names) {
	struct strings addresses = {0};
	for (size_t i = 0; i < names->count; i++) {
		const struct pci_device *device = known_resolve(
			&brain->daemon->known, &brain->daemon->machine, names->items[i], NULL);
		if (device) {
			strings_add(&addresses, device->name);
		}
	}
	return addresses;
}

void brain_begin_by_hand(struct brain *brain) {
	struct waiting *next = STAILQ_FIRST(&brain->waiting);
	if (!next || brain->daemon->change || brain->core.attaching.count > 0) {
		return;
	}
	STAILQ_REMOVE_HEAD(&brain->waiting, link);
	brain->by_hand = next;
	if (next->plans) {
		begin_plan(brain, next);
		return;
	}
	struct strings names = list_of(next->order->devices);
	struct strings unguarded = list_of(next->order->unguard);
	struct strings addresses = find_addresses(brain, &names);
	struct error error;
	/* To return none is to return all; what is recovered is in the journals alone. */
	core_others_change(&brain->core, names.count > 0 ? &addresses : NULL);
	/* What a person takes or returns is no more the policy's affair. */
	if (next->kind != CHANGE_RECOVER && brain_disown(brain, &addresses, &error) < 0) {
		handle_hand_ended(brain, "Refused", error.text);
	} else {
		const struct change_order order = {
			.kind = next->kind,
			.names = &names,
			.unguarded = &unguarded,
			.stop_holders = next->order->stop_holders,
			.suspend = next->order->suspend,
		};
		change_begin(brain->daemon, &order, &hand_handlers, brain);
	}
	strings_finish(&names);
	strings_finish(&addresses);
	strings_finish(&unguarded);
}

static void wait_for_turn(struct order *order, enum change_kind kind, bool plans) {
	struct brain *brain = order->daemon->brain;
	struct waiting *waiting = must_alloc(1, sizeof(*waiting));
	*waiting = (struct waiting){.order = order, .kind = kind, .plans = plans};
	STAILQ_INSERT_TAIL(&brain->waiting, waiting, link);
	survey_request(order->daemon);
}

void brain_change(struct order *order, enum change_kind kind) {
	wait_for_turn(order, kind, false);
}

void brain_plan_switch(struct order *order) {
	if (can_switch(order)) {
		wait_for_turn(order, CHANGE_RELEASE, true);
	}
}

void brain_orders_finish(struct brain *brain) {
	while (!STAILQ_EMPTY(&brain->waiting)) {
		struct waiting *first = STAILQ_FIRST(&brain->waiting);
		STAILQ_REMOVE_HEAD(&brain->waiting, link);
		waiting_free(first);
	}
	if (brain->by_hand) {
		waiting_free(brain->by_hand);
	}
}
