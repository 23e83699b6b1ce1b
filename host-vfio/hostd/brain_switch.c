#include "hostd/brain-impl.h"

#include <stdlib.h>

#include "base/must.h"
#include "hostd/budget.h"
#include "hostd/survey.h"
#include "transaction/transaction.h"

static const char *object_of(const struct order *order) {
	return order->controller ? order->controller : "the host";
}

void brain_refuse_switch(struct order *order, const char *error, const char *reason) {
	struct brain *brain = order->daemon->brain;
	if (brain->switching == order) {
		brain->switching = NULL;
	}
	order_fail(order, object_of(order), error, "%s", reason);
}

void brain_answer_switch(struct brain *brain, const char *problem) {
	struct order *order = brain->switching;
	brain->switching = NULL;
	if (order && problem) {
		order_fail(order, object_of(order), "Failed", "%s", problem);
	} else if (order) {
		order_done(order, object_of(order), NULL);
	}
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
	char *journals = must_print("%s/transactions", daemon->options->state);
	const struct transaction_host host = {.journals = journals};
	struct error error;
	bool settled = false;
	if (daemon->change && !brain_only_plans(daemon->brain)) {
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

static void handle_checked(void *data, int failure, const char *reason) {
	struct order *order = data;
	if (failure == 0) {
		brain_look_ahead(order);
	} else {
		bool away = failure == DOMAIN_FAILURE_CONNECT || failure == HYPERVISOR_NO_ANSWER;
		brain_refuse_switch(
			order, away ? "NoLibvirt" : "Refused", reason ? reason : "libvirt said no");
	}
}

/* The definition of one that is to start, as it is now: who has just mended it may switch. */
static void check_definition(struct order *order) {
	struct daemon *daemon = order->daemon;
	const char *name = order->controller;
	const struct policy_vm *vm = name ? policy_find_vm(&daemon->policy, name) : NULL;
	const struct core_vm *core = vm ? core_find(&daemon->brain->core, name) : NULL;
	struct decisions decisions;
	if (!core || core->state != CORE_OFF) {
		brain_look_ahead(order);
		return;
	}
	brain_decide_then(daemon, name, &decisions);
	const struct hypervisor_check check = {
		.known = &daemon->known,
		.machine = &daemon->machine,
		.decisions = &decisions,
		.vm = name,
	};
	const struct hypervisor_order call = {
		.operation = HYPERVISOR_CHECK, .domain = vm->domain, .check = &check};
	hypervisor_call(daemon->hypervisor, &call, handle_checked, order);
	decisions_finish(&decisions);
}

void brain_switch(struct order *order) {
	if (can_switch(order) && is_settled(order)) {
		order->daemon->brain->switching = order;
		check_definition(order);
	}
}

void brain_plan_switch(struct order *order) {
	if (can_switch(order)) {
		check_definition(order);
	}
}

void brain_begin_switch(struct order *order) {
	struct brain *brain = order->daemon->brain;
	/* Much may have happened since it was asked for. */
	brain->switching = NULL;
	if (can_switch(order) && is_settled(order)) {
		brain->switching = order;
		core_switch(&brain->core, order->controller, order->force);
		survey_request(order->daemon);
	}
}
