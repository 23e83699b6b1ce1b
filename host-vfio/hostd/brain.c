#include "hostd/brain-impl.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/must.h"
#include "hostd/survey.h"
#include "hostd/watchers.h"

void brain_handle_progress(void *data, const char *sentence) {
	say(LOG_DEBUG, "%s", sentence);
}

/* An order to libvirt. */
struct errand {
	struct brain *brain;
	char *vm;
	bool start;
};

static void handle_errand(void *data, int failure, const char *reason) {
	struct errand *errand = data;
	struct brain *brain = errand->brain;
	const char *problem = failure >= 0 ? NULL : reason ? reason : "libvirt said no";
	if (errand->start) {
		core_start_ended(&brain->core, errand->vm, problem);
	} else {
		core_shutdown_ended(&brain->core, errand->vm, problem);
	}
	free(errand->vm);
	free(errand);
	survey_request(brain->daemon);
}

static void run_errand(struct brain *brain, enum hypervisor_operation operation, const char *vm) {
	struct errand *errand = must_alloc(1, sizeof(*errand));
	const struct policy_vm *policy = policy_find_vm(&brain->daemon->policy, vm);
	*errand = (struct errand){
		.brain = brain, .vm = must_copy(vm), .start = operation == HYPERVISOR_START};
	say(LOG_INFO, "%s %s", errand->start ? "start" : "stop", vm);
	const struct hypervisor_order order = {
		.operation = operation, .domain = policy ? policy->domain : vm};
	hypervisor_call(brain->daemon->hypervisor, &order, handle_errand, errand);
}

static void perform(struct brain *brain, struct core_action *action) {
	switch (action->kind) {
	case CORE_TAKE:
	case CORE_RETURN:
		brain_begin_change(brain, action);
		break;
	case CORE_ATTACH:
		brain_attach(brain, action);
		break;
	case CORE_START:
		run_errand(brain, HYPERVISOR_START, action->vm);
		break;
	case CORE_SHUTDOWN:
		run_errand(brain, HYPERVISOR_SHUTDOWN, action->vm);
		break;
	case CORE_KILL:
		run_errand(brain, HYPERVISOR_KILL, action->vm);
		break;
	case CORE_ALLOW:
		brain_allow(brain, action->vm);
		break;
	case CORE_REFUSE:
		brain_refuse(brain, action->vm, action->reason);
		break;
	case CORE_SWITCHED:
		brain_answer_switch(brain, action->reason);
		break;
	}
	core_action_finish(action);
}

/* What a view points to. */
struct looks {
	bool *ours;
	const char **given;
};

static struct core_view make_view(struct brain *brain, struct looks *looks) {
	const struct machine *machine = &brain->daemon->machine;
	looks->ours = must_alloc(machine->devices_count + 1, sizeof(*looks->ours));
	looks->given = must_alloc(machine->devices_count + 1, sizeof(*looks->given));
	for (size_t i = 0; i < machine->devices_count; i++) {
		const char *name = machine->devices[i].name;
		looks->ours[i] = strings_contain(&brain->assigned.devices, name);
		looks->given[i] = assigned_vm(&brain->assigned, name);
	}
	return (struct core_view){
		.policy = &brain->daemon->policy,
		.known = &brain->daemon->known,
		.machine = machine,
		.ours = looks->ours,
		.given = looks->given,
		.settling = survey_is_settling(),
	};
}

static void looks_finish(struct looks *looks) {
	free(looks->ours);
	free(looks->given);
}

/* Something is waited for, and something has just happened: the time begins anew. */
static void arm_patience(struct brain *brain, bool progress) {
	if (!core_is_waiting(&brain->core)) {
		sd_event_source_set_enabled(brain->patience, SD_EVENT_OFF);
		return;
	}
	int enabled = SD_EVENT_OFF;
	sd_event_source_get_enabled(brain->patience, &enabled);
	if (progress || enabled == SD_EVENT_OFF) {
		sd_event_source_set_time_relative(brain->patience,
			(uint64_t)brain->daemon->options->patience_s * 1000 * 1000);
		sd_event_source_set_enabled(brain->patience, SD_EVENT_ONESHOT);
	}
}

static bool decide_all(struct brain *brain) {
	struct looks looks;
	struct core_view view = make_view(brain, &looks);
	struct core_action action;
	bool progress = false;
	while (core_next(&brain->core, &view, &action)) {
		progress = true;
		perform(brain, &action);
	}
	looks_finish(&looks);
	brain_note_owners(brain);
	return progress;
}

void brain_decide(struct daemon *daemon) {
	struct brain *brain = daemon->brain;
	if (!daemon->change && daemon->machine_known) {
		brain_notice_devices(brain);
		brain_check_claims(brain);
		brain_warn(brain);
	}
	/* What an earlier change left keeps every other one from being made. */
	brain_begin_recovery(brain);
	bool progress = decide_all(brain);
	brain_begin_by_hand(brain);
	arm_patience(brain, progress);
	watchers_changed(daemon);
}

static int handle_patience(sd_event_source *source, uint64_t usec, void *data) {
	struct brain *brain = data;
	struct looks looks;
	struct core_view view = make_view(brain, &looks);
	core_timeout(&brain->core, &view);
	looks_finish(&looks);
	survey_request(brain->daemon);
	return 0;
}

void brain_domain_changed(struct daemon *daemon, const char *domain, int state) {
	const struct policy_vm *vm = policy_find_domain(&daemon->policy, domain);
	if (!vm || state == HYPERVISOR_UNKNOWN) {
		return;
	}
	core_vm_is(&daemon->brain->core, vm->name,
		state == DOMAIN_RUNNING || state == DOMAIN_PAUSED ? CORE_RUNNING
		: state == DOMAIN_STOPPING			  ? CORE_STOPPING
								  : CORE_OFF);
	survey_request(daemon);
}

void brain_states_known(struct daemon *daemon, bool known) {
	core_states_known(&daemon->brain->core, known);
	if (known) {
		survey_request(daemon);
	}
}

void brain_policy_changed(struct daemon *daemon) {
	core_set_policy(&daemon->brain->core, &daemon->policy);
	strings_finish(&daemon->brain->warned); /* whoever has read it again is told again */
	survey_request(daemon);
}

struct strings brain_rivals(const struct daemon *daemon, const struct policy_vm *vm) {
	struct brain *brain = daemon->brain;
	struct looks looks;
	struct core_view view = make_view(brain, &looks);
	struct strings rivals = core_rivals(&brain->core, &view, vm->name), domains = {0};
	for (size_t i = 0; i < rivals.count; i++) {
		const struct policy_vm *rival = policy_find_vm(&daemon->policy, rivals.items[i]);
		if (rival) {
			strings_add(&domains, rival->domain);
		}
	}
	strings_finish(&rivals);
	looks_finish(&looks);
	return domains;
}

void brain_foresee(
	const struct daemon *daemon, const char *controller, struct core_foresight *foresight) {
	struct brain *brain = daemon->brain;
	struct looks looks;
	struct core_view view = make_view(brain, &looks);
	core_foresee(foresight, &brain->core, &view, controller);
	looks_finish(&looks);
}

void brain_decide_then(
	const struct daemon *daemon, const char *controller, struct decisions *decisions) {
	struct brain *brain = daemon->brain;
	struct looks looks;
	struct core_view view = make_view(brain, &looks);
	struct core_foresight foresight;
	core_foresee(&foresight, &brain->core, &view, controller);
	core_decide_then(decisions, &brain->core, &view, &foresight.leaving, controller);
	core_foresight_finish(&foresight);
	looks_finish(&looks);
}

const struct core *brain_core(const struct daemon *daemon) {
	return &daemon->brain->core;
}

int brain_init(struct daemon *daemon, struct error *error) {
	struct brain *brain = must_alloc(1, sizeof(*brain));
	daemon->brain = brain;
	brain->daemon = daemon;
	LIST_INIT(&brain->claims);
	STAILQ_INIT(&brain->waiting);
	if (brain_devices_init(brain, error) < 0) {
		return -1;
	}
	if (sd_event_add_time(daemon->loop, &brain->patience, CLOCK_MONOTONIC, UINT64_MAX, 0,
		    handle_patience, brain) < 0) {
		return error_set(error, "no event loop");
	}
	sd_event_source_set_enabled(brain->patience, SD_EVENT_OFF);
	core_set_policy(&brain->core, &daemon->policy);
	brain->to_settle = true;
	brain_begin_recovery(brain);
	return 0;
}

void brain_finish(struct daemon *daemon) {
	struct brain *brain = daemon->brain;
	if (!brain) {
		return;
	}
	brain_claims_finish(brain);
	brain_orders_finish(brain);
	brain_recovery_finish(brain);
	brain_devices_finish(brain);
	strings_finish(&brain->warned);
	core_finish(&brain->core);
	sd_event_source_disable_unref(brain->patience);
	free(brain);
	daemon->brain = NULL;
}
