#include "hostd/brain-impl.h"

#include <stdlib.h>

#include "base/must.h"
#include "hostd/budget.h"
#include "hostd/survey.h"
#include "inventory/json.h"

/* A person's change, until what is under way has ended. */
struct waiting {
	struct order *order;
	enum change_kind kind;
	enum {
		BY_HAND,
		PLANS, /* what a switch would do, and does nothing */
		SWITCHES, /* the same, and then does it */
	} purpose;
	sd_json_variant *answer; /* of one that plans, as far as it is known */
	STAILQ_ENTRY(waiting) link; /* brain.waiting */
};

bool brain_only_plans(const struct brain *brain) {
	return brain->by_hand && brain->by_hand->purpose == PLANS;
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
	struct order *order = waiting->order;
	brain->by_hand = NULL;
	core_others_change_ended(&brain->core);
	brain_note_outcome(
		brain, waiting->purpose == BY_HAND && waiting->kind == CHANGE_RECOVER, error);
	if (error && waiting->purpose != BY_HAND) {
		brain_refuse_switch(order, error, reason);
	} else if (error) {
		order_fail(order, NULL, error, "%s", reason);
	} else if (waiting->purpose == SWITCHES) {
		brain_begin_switch(order);
	} else {
		bool host = waiting->purpose == PLANS && !order->controller;
		order_done(order, host ? "the host" : NULL, waiting->answer);
	}
	if (waiting->purpose == BY_HAND) {
		core_machine_changed(&brain->core);
	}
	waiting_free(waiting);
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

/* Beside the plans and the findings. */
static void describe_switch(const struct brain *brain, struct waiting *waiting,
	const struct core_foresight *foresight, bool starts) {
	json_set(&waiting->answer, "leaving", list_json(&foresight->leaving));
	if (waiting->order->force) {
		json_set_number(
			&waiting->answer, "endAfterSeconds", brain->daemon->options->patience_s);
	}
	json_set(&waiting->answer, "returning", list_json(&foresight->returning));
	json_set_string(&waiting->answer, "starting", starts ? waiting->order->controller : NULL);
	json_set(&waiting->answer, "plans", json_array());
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
	bool starts = core && core->state == CORE_OFF;
	describe_switch(brain, waiting, &foresight, starts);
	bool locks = starts && foresight.leaving.count == 0 &&
		     budget_preflight(daemon, vm->domain, &memory);
	const struct change_order order = {
		.kind = CHANGE_RELEASE,
		.names = &foresight.taking,
		.returning = &foresight.returning,
		.unguarded = &foresight.taking,
		.vm = locks ? &memory : NULL,
		.dry_run = true,
		.refuse = waiting->purpose == SWITCHES,
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
	if (next->purpose != BY_HAND) {
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

static void wait_for_turn(struct order *order, struct waiting wanted) {
	struct brain *brain = order->daemon->brain;
	struct waiting *waiting = must_alloc(1, sizeof(*waiting));
	*waiting = wanted;
	waiting->order = order;
	STAILQ_INSERT_TAIL(&brain->waiting, waiting, link);
	survey_request(order->daemon);
}

void brain_change(struct order *order, enum change_kind kind) {
	wait_for_turn(order, (struct waiting){.kind = kind});
}

void brain_look_ahead(struct order *order) {
	bool switches = order->daemon->brain->switching == order;
	wait_for_turn(order, (struct waiting){.purpose = switches ? SWITCHES : PLANS});
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
