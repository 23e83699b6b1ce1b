#include "hostd/brain-impl.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/file.h"
#include "base/must.h"
#include "hostd/budget.h"
#include "hostd/survey.h"
#include "transaction/transaction.h"

static char *assigned_path(const struct daemon *daemon) {
	return must_print("%s/assigned.scfg", daemon->options->state);
}

static int note(struct brain *brain, const struct strings *strings,
	int (*change)(struct assigned *assigned, const char *path, const struct strings *strings,
		struct error *error),
	struct error *error) {
	char *path = assigned_path(brain->daemon);
	int status = file_make_directory(brain->daemon->options->state, 0755, error);
	if (status == 0) {
		status = change(&brain->assigned, path, strings, error);
	}
	free(path);
	if (status < 0) {
		say(LOG_ERR, "%s", error->text);
	}
	return status;
}

int brain_assign(struct brain *brain, const struct strings *names, struct error *error) {
	return note(brain, names, assigned_add, error);
}

int brain_disown(struct brain *brain, const struct strings *names, struct error *error) {
	return note(brain, names, assigned_remove, error);
}

void brain_note_owners(struct brain *brain) {
	struct strings vms = {0};
	struct error ignored;
	bool changed = false;
	if (!core_knows_owners(&brain->core)) {
		return;
	}
	for (size_t i = 0; i < brain->assigned.devices.count; i++) {
		const char *vm = core_known_owner(&brain->core, brain->assigned.devices.items[i]);
		strings_add(&vms, vm ? vm : "");
		changed |= strcmp(vms.items[i], brain->assigned.vms.items[i]) != 0;
	}
	if (changed) {
		note(brain, &vms, assigned_give, &ignored);
	}
	strings_finish(&vms);
}

/* A device that comes to a running VM. */
struct arrival {
	struct brain *brain;
	char *vm, *device;
};

static void handle_arrived(void *data, int failure, const char *reason) {
	struct arrival *arrival = data;
	struct brain *brain = arrival->brain;
	const char *problem = failure == 0 ? NULL : reason ? reason : "libvirt said no";
	say(problem ? LOG_WARNING : LOG_NOTICE, "attach %s to %s: %s", arrival->device, arrival->vm,
		problem ? problem : "done");
	core_attach_ended(&brain->core, arrival->vm, arrival->device, problem);
	free(arrival->vm);
	free(arrival->device);
	free(arrival);
	survey_request(brain->daemon);
}

void brain_attach(struct brain *brain, const struct core_action *action) {
	const struct policy_vm *policy = policy_find_vm(&brain->daemon->policy, action->vm);
	struct arrival *arrival = must_alloc(1, sizeof(*arrival));
	*arrival = (struct arrival){
		.brain = brain,
		.vm = must_copy(action->vm),
		.device = must_copy(action->names.items[0]),
	};
	const struct hypervisor_order order = {
		.operation = HYPERVISOR_ATTACH,
		.domain = policy ? policy->domain : action->vm,
		.device = arrival->device,
	};
	hypervisor_call(brain->daemon->hypervisor, &order, handle_arrived, arrival);
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
	core_change_ended(&brain->core, &action, error ? reason : NULL);
	core_action_finish(&action);
	brain_note_outcome(brain, false, error);
	survey_request(brain->daemon);
}

void brain_begin_change(struct brain *brain, struct core_action *action) {
	static const struct change_handlers handlers = {
		.progress = brain_handle_progress, .ended = handle_core_ended};
	struct error error;
	brain->action = *action;
	*action = (struct core_action){0};
	bool take = brain->action.kind == CORE_TAKE;
	if (take && brain_assign(brain, &brain->action.names, &error) < 0) {
		handle_core_ended(brain, "Refused", error.text);
		return;
	}
	/* One that runs has its memory locked already. */
	const struct core_vm *vm =
		brain->action.vm ? core_find(&brain->core, brain->action.vm) : NULL;
	const struct policy_vm *policy =
		vm ? policy_find_vm(&brain->daemon->policy, vm->name) : NULL;
	struct preflight_vm memory;
	bool starts = take && vm && vm->state == CORE_STARTING && policy &&
		      budget_preflight(brain->daemon, policy->domain, &memory);
	const struct change_order order = {
		.kind = take ? CHANGE_RELEASE : CHANGE_RETURN,
		.names = &brain->action.names,
		/* The survival guard has had its say when it was decided. */
		.unguarded = &brain->action.names,
		.vm = starts ? &memory : NULL,
	};
	change_begin(brain->daemon, &order, &handlers, brain);
}

/* "0000:01:00.0 10de:25a0": the card at an address; the caller's. */
static char *describe(const struct pci_device *device) {
	return must_print("%s %04x:%04x", device->name, device->vendor, device->device);
}

/* What is not with VFIO, because it was returned or could not be taken, is nobody's to return. */
static void prune_assigned(struct brain *brain) {
	const struct machine *machine = &brain->daemon->machine;
	struct strings gone = {0};
	struct error ignored;
	for (size_t i = 0; i < brain->assigned.devices.count; i++) {
		const char *name = brain->assigned.devices.items[i];
		const struct pci_device *device = machine_find(machine, name);
		if (!device || !device->driver || strcmp(device->driver, "vfio-pci") != 0) {
			strings_add(&gone, name);
		}
	}
	if (gone.count > 0) {
		brain_disown(brain, &gone, &ignored);
	}
	strings_finish(&gone);
}

/* Does a change since the machine was booted bear it out that this very card was given away, or may
 * it yet, because it is not settled? */
static bool is_borne_out(
	const struct journal_records *records, const char *boot, const struct pci_device *device) {
	if (transaction_former(records, boot, device)) {
		return true;
	}
	for (size_t i = 0; i < records->count; i++) {
		const struct journal_record *record = &records->items[i];
		if (record->outcome == JOURNAL_OPEN && strcmp(record->boot, boot) == 0 &&
			plan_has(&record->plan, device->name)) {
			return true;
		}
	}
	return false;
}

static void find_stale(const struct brain *brain, const struct journal_records *records,
	const char *boot, struct strings *stale) {
	for (size_t i = 0; i < brain->assigned.devices.count; i++) {
		const char *name = brain->assigned.devices.items[i];
		const struct pci_device *device = machine_find(&brain->daemon->machine, name);
		if (device && !is_borne_out(records, boot, device)) {
			strings_add(stale, name);
			say(LOG_NOTICE,
				"%s was not given away since the machine was booted: with %s it "
				"stays, as it was found",
				name, device->driver ? device->driver : "no driver");
		}
	}
}

/* What a daemon before the last boot has noted: the set-up, or whoever binds devices at boot, may
 * have given the device to VFIO since, or the address may be another card's. */
static void prune_stale(struct brain *brain) {
	struct journal_records records;
	struct strings problems = {0}, stale = {0};
	struct error ignored;
	char *boot = transaction_boot(brain->daemon->tree);
	char *journals = must_print("%s/transactions", brain->daemon->options->state);
	journal_read_all(&records, journals, &problems);
	/* What cannot be read keeps everything from being changed, and the notes as they are. */
	if (boot && problems.count == 0) {
		find_stale(brain, &records, boot, &stale);
	}
	if (stale.count > 0) {
		brain_disown(brain, &stale, &ignored);
	}
	journal_records_finish(&records);
	strings_finish(&problems);
	strings_finish(&stale);
	free(journals);
	free(boot);
}

static bool is_seen(const struct machine *machine, const char *seen) {
	bool found = false;
	for (size_t i = 0; i < machine->devices_count && !found; i++) {
		char *name = describe(&machine->devices[i]);
		found = strcmp(name, seen) == 0;
		free(name);
	}
	return found;
}

/* Whoever looks for a device that was there finds when it went, and from whom. */
static void say_gone(const struct brain *brain, const char *seen) {
	char *address = must_copy(seen);
	*strchrnul(address, ' ') = '\0';
	const char *vm = core_owner(&brain->core, address);
	if (vm) {
		say(LOG_NOTICE, "%s is gone: %s had it", seen, vm);
	} else {
		say(LOG_NOTICE, "%s is gone", seen);
	}
	free(address);
}

/* What failed is tried again when devices have come or gone: not when a change itself has made one
 * vanish for a moment, lest it be tried for ever. */
static void compare_devices(struct brain *brain) {
	const struct machine *machine = &brain->daemon->machine;
	struct strings now = {0};
	bool same = machine->devices_count == brain->seen.count;
	for (size_t i = 0; i < machine->devices_count; i++) {
		strings_take(&now, describe(&machine->devices[i]));
		same = same && strcmp(now.items[i], brain->seen.items[i]) == 0;
	}
	for (size_t i = 0; i < brain->seen.count && !same; i++) {
		if (!is_seen(machine, brain->seen.items[i])) {
			say_gone(brain, brain->seen.items[i]);
		}
	}
	if (!same) {
		core_machine_changed(&brain->core);
	}
	strings_finish(&brain->seen);
	brain->seen = now;
}

void brain_notice_devices(struct brain *brain) {
	prune_assigned(brain);
	if (!brain->notes_checked) {
		brain->notes_checked = true;
		prune_stale(brain);
	}
	compare_devices(brain);
}

int brain_devices_init(struct brain *brain, struct error *error) {
	char *path = assigned_path(brain->daemon);
	int status = assigned_load(&brain->assigned, path, error);
	free(path);
	return status;
}

void brain_devices_finish(struct brain *brain) {
	core_action_finish(&brain->action);
	assigned_finish(&brain->assigned);
	strings_finish(&brain->seen);
}
