#include "hostd/brain.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/file.h"
#include "base/must.h"
#include "hostd/assigned.h"
#include "hostd/core.h"
#include "hostd/guest_call.h"
#include "hostd/host_interface.h"
#include "hostd/survey.h"
#include "hostd/watchers.h"
#include "policy/decide.h"

/* A hook that waits for its answer. */
struct claim {
	sd_varlink *call;
	char *vm;
	struct strings devices; /* in its definition */
	LIST_ENTRY(claim) link; /* brain.claims */
};

/* A person's change, until what is under way has ended. */
struct waiting {
	struct order *order;
	enum change_kind kind;
	STAILQ_ENTRY(waiting) link; /* brain.waiting */
};

struct brain {
	struct daemon *daemon;
	struct core core;
	struct strings assigned;
	struct strings seen; /* the devices that there were when nothing was changing */
	struct core_action action; /* the change under way, when it is the core's */
	struct waiting *by_hand; /* or a person's */
	bool recovering; /* or the one at the start */
	struct order *switching;
	LIST_HEAD(, claim) claims;
	STAILQ_HEAD(, waiting) waiting;
	sd_event_source *patience;
	bool deciding;
};

static char *assigned_path(const struct daemon *daemon) {
	return must_print("%s/assigned.scfg", daemon->options->state);
}

/* -1: it could not be written down. */
static int note_assigned(
	struct brain *brain, const struct strings *names, bool add, struct error *error) {
	char *path = assigned_path(brain->daemon);
	int status = file_make_directory(brain->daemon->options->state, 0755, error);
	if (status == 0) {
		status = assigned_change(&brain->assigned, path, names, add, error);
	}
	free(path);
	if (status < 0) {
		say(LOG_ERR, "%s", error->text);
	}
	return status;
}

static void handle_progress(void *data, const char *sentence) {
	say(LOG_DEBUG, "%s", sentence);
}

/* A device that is to come to a running VM. */
struct arrival {
	char *vm, *device;
};

static void handle_arrived(void *data, int failure, const char *reason) {
	struct arrival *arrival = data;
	say(failure == 0 ? LOG_NOTICE : LOG_WARNING, "attach %s to %s: %s", arrival->device,
		arrival->vm,
		failure == 0 ? "done"
		: reason     ? reason
			     : "libvirt said no");
	free(arrival->vm);
	free(arrival->device);
	free(arrival);
}

/* One that is being started finds everything by its definition. */
static void attach_to_running(struct brain *brain, const struct core_action *taken) {
	const struct core_vm *vm = taken->vm ? core_find(&brain->core, taken->vm) : NULL;
	const struct policy_vm *policy =
		vm ? policy_find_vm(&brain->daemon->policy, vm->name) : NULL;
	if (!policy || vm->state != CORE_RUNNING) {
		return;
	}
	for (size_t i = 0; i < taken->names.count; i++) {
		const struct hypervisor_order order = {
			.operation = HYPERVISOR_ATTACH,
			.domain = policy->domain,
			.device = taken->names.items[i],
		};
		struct arrival *arrival = must_alloc(1, sizeof(*arrival));
		arrival->vm = must_copy(vm->name);
		arrival->device = must_copy(taken->names.items[i]);
		hypervisor_call(brain->daemon->hypervisor, &order, handle_arrived, arrival);
	}
}

static void handle_core_ended(void *data, const char *error, const char *reason) {
	struct brain *brain = data;
	struct core_action action = brain->action;
	brain->action = (struct core_action){0};
	const char *what = action.kind == CORE_TAKE ? "give to" : "return from";
	for (size_t i = 0; i < action.names.count; i++) {
		say(error ? LOG_ERR : LOG_NOTICE, "%s %s %s: %s", what,
			action.vm ? action.vm : "VMs", action.names.items[i],
			error ? reason : "done");
	}
	if (action.kind == CORE_TAKE && !error) {
		attach_to_running(brain, &action);
	}
	core_change_ended(&brain->core, &action, error ? reason : NULL);
	core_action_finish(&action);
	survey_request(brain->daemon);
}

static void begin_change(struct brain *brain, struct core_action *action) {
	static const struct change_handlers handlers = {handle_progress, handle_core_ended};
	struct error error;
	brain->action = *action;
	*action = (struct core_action){0};
	bool take = brain->action.kind == CORE_TAKE;
	if (take && note_assigned(brain, &brain->action.names, true, &error) < 0) {
		handle_core_ended(brain, "Refused", error.text);
		return;
	}
	const struct change_order order = {
		.kind = take ? CHANGE_RELEASE : CHANGE_RETURN,
		.names = &brain->action.names,
		/* The survival guard has had its say when it was decided. */
		.unguarded = &brain->action.names,
	};
	change_begin(brain->daemon, &order, &handlers, brain);
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

static void claim_free(struct claim *claim) {
	LIST_REMOVE(claim, link);
	sd_varlink_unref(claim->call);
	free(claim->vm);
	strings_finish(&claim->devices);
	free(claim);
}

static void answer_claim(struct brain *brain, const char *vm, const char *refusal) {
	struct claim *claim, *next;
	for (claim = LIST_FIRST(&brain->claims); claim; claim = next) {
		next = LIST_NEXT(claim, link);
		if (strcmp(claim->vm, vm) != 0) {
			continue;
		}
		say(refusal ? LOG_WARNING : LOG_NOTICE, "%s may %s%s%s", vm,
			refusal ? "not start" : "start", refusal ? ": " : "",
			refusal ? refusal : "");
		if (refusal) {
			guest_refuse(claim->call, HOST_INTERFACE, "Refused", "%s", refusal);
		} else {
			sd_varlink_reply(claim->call, NULL);
		}
		claim_free(claim);
	}
}

/* A device of the VM's definition that the policy does not give to it: why not, the caller's; NULL
 * when there is none. */
static char *find_stray(const struct brain *brain, const struct claim *claim) {
	const struct daemon *daemon = brain->daemon;
	struct decisions decisions;
	struct strings running = core_running(&brain->core);
	char *refusal = NULL;
	decide(&decisions, &daemon->policy, &daemon->known, &daemon->machine, &running);
	for (size_t i = 0; i < decisions.count && !refusal; i++) {
		const struct decision *decision = &decisions.items[i];
		bool own = decision->vm && strcmp(decision->vm->name, claim->vm) == 0;
		if (!own && strings_contain(&claim->devices, decision->device->name)) {
			refusal = must_print("its definition has %s, which belongs to %s: %s",
				decision->device->name,
				decision->vm ? decision->vm->name : "the host", decision->reason);
		}
	}
	decisions_finish(&decisions);
	strings_finish(&running);
	return refusal;
}

/* What is known of the machine may be old, or nothing. */
static char *find_blindness(const struct brain *brain) {
	const char *problem = survey_problem(brain->daemon);
	return problem ? must_print("the devices cannot be looked at: %s", problem) : NULL;
}

static void allow_claim(struct brain *brain, const char *vm) {
	const struct claim *claim;
	char *refusal = find_blindness(brain);
	LIST_FOREACH(claim, &brain->claims, link) {
		if (!refusal && strcmp(claim->vm, vm) == 0) {
			refusal = find_stray(brain, claim);
		}
	}
	answer_claim(brain, vm, refusal);
	if (refusal) {
		core_released(&brain->core, vm);
		free(refusal);
	}
}

static void answer_switch(struct brain *brain, const char *problem) {
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

static void perform(struct brain *brain, struct core_action *action) {
	switch (action->kind) {
	case CORE_TAKE:
	case CORE_RETURN:
		begin_change(brain, action);
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
		allow_claim(brain, action->vm);
		break;
	case CORE_REFUSE:
		answer_claim(brain, action->vm, action->reason);
		break;
	case CORE_SWITCHED:
		answer_switch(brain, action->reason);
		break;
	}
	core_action_finish(action);
}

/* What is not with VFIO, because it was returned or could not be taken, is nobody's to return. */
static void prune_assigned(struct brain *brain) {
	const struct machine *machine = &brain->daemon->machine;
	struct strings gone = {0};
	struct error ignored;
	for (size_t i = 0; i < brain->assigned.count; i++) {
		const struct pci_device *device = machine_find(machine, brain->assigned.items[i]);
		if (!device || !device->driver || strcmp(device->driver, "vfio-pci") != 0) {
			strings_add(&gone, brain->assigned.items[i]);
		}
	}
	if (gone.count > 0) {
		note_assigned(brain, &gone, false, &ignored);
	}
	strings_finish(&gone);
}

/* What failed is tried again when devices have come or gone: not when a change itself has made one
 * vanish for a moment, lest it be tried for ever. */
static void notice_devices(struct brain *brain) {
	const struct machine *machine = &brain->daemon->machine;
	struct strings now = {0};
	bool same = machine->devices_count == brain->seen.count;
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		strings_take(&now,
			must_print("%s %04x:%04x", device->name, device->vendor, device->device));
		same = same && strcmp(now.items[i], brain->seen.items[i]) == 0;
	}
	if (!same) {
		core_machine_changed(&brain->core);
	}
	strings_finish(&brain->seen);
	brain->seen = now;
}

static struct core_view make_view(struct brain *brain, bool *ours) {
	const struct machine *machine = &brain->daemon->machine;
	for (size_t i = 0; i < machine->devices_count; i++) {
		ours[i] = strings_contain(&brain->assigned, machine->devices[i].name);
	}
	return (struct core_view){&brain->daemon->policy, &brain->daemon->known, machine, ours};
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

static void begin_by_hand(struct brain *brain);

void brain_decide(struct daemon *daemon) {
	struct brain *brain = daemon->brain;
	bool progress = false;
	/* Nothing is decided while a person's change, or the recovery, is under way. */
	if (!brain->by_hand && !brain->recovering) {
		if (!daemon->change && daemon->machine_known) {
			prune_assigned(brain);
			notice_devices(brain);
		}
		bool *ours = must_alloc(daemon->machine.devices_count + 1, sizeof(*ours));
		struct core_view view = make_view(brain, ours);
		struct core_action action;
		while (core_next(&brain->core, &view, &action)) {
			progress = true;
			perform(brain, &action);
		}
		free(ours);
	}
	begin_by_hand(brain);
	arm_patience(brain, progress);
	watchers_changed(daemon);
}

static int handle_patience(sd_event_source *source, uint64_t usec, void *data) {
	struct brain *brain = data;
	bool *ours = must_alloc(brain->daemon->machine.devices_count + 1, sizeof(*ours));
	struct core_view view = make_view(brain, ours);
	core_timeout(&brain->core, &view);
	free(ours);
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
	survey_request(daemon);
}

void brain_switch(struct order *order) {
	struct brain *brain = order->daemon->brain;
	const char *name = order->controller;
	const struct policy_vm *vm = name ? policy_find_vm(&order->daemon->policy, name) : NULL;
	const struct core_vm *core = vm ? core_find(&brain->core, name) : NULL;
	const struct domains *domains = &order->daemon->domains;
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
	int status = note_assigned(brain, &addresses, false, error);
	strings_finish(&addresses);
	return status;
}

static void begin_by_hand(struct brain *brain) {
	static const struct change_handlers handlers = {handle_progress, handle_hand_ended};
	struct waiting *next = STAILQ_FIRST(&brain->waiting);
	if (!next || brain->daemon->change) {
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

void brain_claim(
	struct daemon *daemon, sd_varlink *link, const struct policy_vm *vm, char *const *devices) {
	struct claim *claim = must_alloc(1, sizeof(*claim));
	for (size_t i = 0; devices && devices[i]; i++) {
		strings_add(&claim->devices, devices[i]);
	}
	claim->call = sd_varlink_ref(link);
	claim->vm = must_copy(vm->name);
	LIST_INSERT_HEAD(&daemon->brain->claims, claim, link);
	core_claim(&daemon->brain->core, vm->name);
	survey_request(daemon);
}

void brain_released(struct daemon *daemon, const struct policy_vm *vm) {
	core_released(&daemon->brain->core, vm->name);
	survey_request(daemon);
}

void brain_forget(struct daemon *daemon, const sd_varlink *link) {
	struct brain *brain = daemon->brain;
	struct claim *claim, *next;
	if (!brain) {
		return;
	}
	for (claim = LIST_FIRST(&brain->claims); claim; claim = next) {
		next = LIST_NEXT(claim, link);
		if (claim->call == link) {
			core_unclaim(&brain->core, claim->vm);
			claim_free(claim);
			survey_request(daemon);
		}
	}
}

static void handle_recovered(void *data, const char *error, const char *reason) {
	struct brain *brain = data;
	brain->recovering = false;
	if (error) {
		say(LOG_ERR, "an earlier change cannot be settled: %s", reason);
	}
	survey_request(brain->daemon);
}

const struct core *brain_core(const struct daemon *daemon) {
	return &daemon->brain->core;
}

int brain_init(struct daemon *daemon, struct error *error) {
	static const struct change_handlers handlers = {handle_progress, handle_recovered};
	static const struct strings none;
	struct brain *brain = must_alloc(1, sizeof(*brain));
	daemon->brain = brain;
	brain->daemon = daemon;
	LIST_INIT(&brain->claims);
	STAILQ_INIT(&brain->waiting);
	char *path = assigned_path(daemon);
	int status = assigned_load(&brain->assigned, path, error);
	free(path);
	if (status < 0) {
		return -1;
	}
	if (sd_event_add_time(daemon->loop, &brain->patience, CLOCK_MONOTONIC, UINT64_MAX, 0,
		    handle_patience, brain) < 0) {
		return error_set(error, "no event loop");
	}
	sd_event_source_set_enabled(brain->patience, SD_EVENT_OFF);
	core_set_policy(&brain->core, &daemon->policy);
	brain->recovering = true;
	const struct change_order order = {
		.kind = CHANGE_RECOVER, .names = &none, .unguarded = &none};
	change_begin(daemon, &order, &handlers, brain);
	return 0;
}

void brain_finish(struct daemon *daemon) {
	struct brain *brain = daemon->brain;
	if (!brain) {
		return;
	}
	while (!LIST_EMPTY(&brain->claims)) {
		claim_free(LIST_FIRST(&brain->claims));
	}
	while (!STAILQ_EMPTY(&brain->waiting)) {
		struct waiting *first = STAILQ_FIRST(&brain->waiting);
		STAILQ_REMOVE_HEAD(&brain->waiting, link);
		free(first);
	}
	free(brain->by_hand);
	core_action_finish(&brain->action);
	core_finish(&brain->core);
	strings_finish(&brain->assigned);
	strings_finish(&brain->seen);
	sd_event_source_disable_unref(brain->patience);
	free(brain);
	daemon->brain = NULL;
}
