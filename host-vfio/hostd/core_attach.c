#include "hostd/core-impl.h"

#include <string.h>

#include "base/must.h"
#include "inventory/group.h"

static void give(struct core_vm *vm, const char *device) {
	if (!strings_contain(&vm->given, device)) {
		strings_add(&vm->given, device);
	}
}

void core_give_all(struct core *core, const struct core_view *view, struct core_vm *vm) {
	struct decisions decisions;
	core_decide(&decisions, core, view);
	for (size_t i = 0; i < decisions.count; i++) {
		const struct pci_device *device = decisions.items[i].device;
		if (core_is_for(&decisions.items[i], vm->name) && core_is_vfio(device)) {
			give(vm, device->name);
		}
	}
	decisions_finish(&decisions);
}

static bool shares_group(const struct pci_device *one, const struct pci_device *other) {
	return one != other && group_is_same(one, other) && core_is_vfio(other);
}

/* Is it the device itself that is open? VFIO's node is its whole group's, and does not say which
 * functions are: another one that was noted for the VM may be. Where none was, it is the first,
 * which is attached before the others. */
static bool is_open_itself(const struct core *core, const struct core_view *view,
	const struct decisions *decisions, size_t index, const char *vm) {
	const struct pci_device *device = decisions->items[index].device;
	bool itself = core_is_held(core, device);
	for (size_t i = 0; i < decisions->count && itself; i++) {
		bool noted = view->given[i] && strcmp(view->given[i], vm) == 0;
		itself = !shares_group(device, decisions->items[i].device) || (i > index && !noted);
	}
	return itself;
}

/* What is there for a VM that was found running: it has it open, or was given it by a former
 * daemon, whatever has become of that; or a person took it. The rest a former daemon did not get
 * to. */
static void give_found(const struct core *core, const struct core_view *view,
	const struct decisions *decisions, struct core_vm *vm) {
	for (size_t i = 0; i < decisions->count; i++) {
		const struct pci_device *device = decisions->items[i].device;
		const char *given = view->given[i];
		if (!core_is_for(&decisions->items[i], vm->name) || !core_is_vfio(device)) {
			continue;
		}
		if (!view->ours[i] || (given && strcmp(given, vm->name) == 0)) {
			give(vm, device->name);
		} else if (is_open_itself(core, view, decisions, i, vm->name)) {
			give(vm, device->name);
			strings_add(&vm->presumed, device->name);
		}
	}
}

/* Is the device still there for it? One that was plugged in again has a driver of the host; and
 * what it was taken to have and nobody has open was not its own, but that of one that had just
 * ended. */
static bool still_has(const struct core *core, const struct decisions *decisions,
	const struct core_vm *vm, const char *device) {
	for (size_t i = 0; i < decisions->count; i++) {
		const struct decision *decision = &decisions->items[i];
		if (strcmp(decision->device->name, device) == 0) {
			bool held = core_is_held(core, decision->device);
			bool presumed = strings_contain(&vm->presumed, device);
			return core_is_for(decision, vm->name) &&
			       (held || (core_is_vfio(decision->device) && !presumed));
		}
	}
	return false;
}

void core_forget_lost(struct core *core, const struct core_view *view) {
	struct decisions decisions;
	core_decide(&decisions, core, view);
	for (size_t i = 0; i < core->vms_count; i++) {
		struct core_vm *vm = &core->vms[i];
		struct strings lost = {0};
		if (vm->found) {
			give_found(core, view, &decisions, vm);
			vm->found = false;
		}
		for (size_t k = 0; k < vm->given.count; k++) {
			if (!still_has(core, &decisions, vm, vm->given.items[k])) {
				strings_add(&lost, vm->given.items[k]);
			}
		}
		strings_remove_all(&vm->given, &lost);
		strings_remove_all(&vm->presumed, &lost);
		strings_finish(&lost);
	}
	decisions_finish(&decisions);
}

/* Is it this VM that has the group open, for another function of it? VFIO lets nobody else open any
 * of it then. */
static bool has_group(const struct core *core, const struct decisions *decisions,
	const struct core_vm *vm, const struct pci_device *device) {
	for (size_t i = 0; i < decisions->count; i++) {
		const struct pci_device *other = decisions->items[i].device;
		if (shares_group(device, other) && strings_contain(&vm->given, other->name) &&
			core_is_held(core, other)) {
			return true;
		}
	}
	return false;
}

static bool is_to_attach(const struct core *core, const struct core_view *view,
	const struct core_vm *vm, const struct decisions *decisions, size_t index) {
	const struct decision *decision = &decisions->items[index];
	const struct pci_device *device = decision->device;
	return core_is_for(decision, vm->name) && view->ours[index] && core_is_vfio(device) &&
	       !strings_contain(&vm->given, device->name) &&
	       !strings_contain(&core->failed, device->name) &&
	       (!core_is_held(core, device) || has_group(core, decisions, vm, device));
}

bool core_plan_attach(struct core *core, const struct core_view *view, struct core_action *action) {
	struct decisions decisions;
	*action = (struct core_action){.kind = CORE_ATTACH};
	/* One after the other, since each looks for a port that is free. */
	if (!core->states_known || core->attaching.count > 0) {
		return false;
	}
	core_decide(&decisions, core, view);
	for (size_t i = 0; i < core->vms_count; i++) {
		const struct core_vm *vm = &core->vms[i];
		bool wants = vm->state == CORE_RUNNING && !vm->asked;
		for (size_t k = 0; wants && k < decisions.count && !action->vm; k++) {
			if (is_to_attach(core, view, vm, &decisions, k)) {
				action->vm = must_copy(vm->name);
				strings_add(&action->names, decisions.items[k].device->name);
			}
		}
	}
	decisions_finish(&decisions);
	if (action->vm) {
		strings_add(&core->attaching, action->names.items[0]);
	}
	return action->vm != NULL;
}

void core_attach_ended(
	struct core *core, const char *name, const char *device, const char *problem) {
	struct core_vm *vm = core_find(core, name);
	strings_remove(&core->attaching, device);
	if (problem) {
		strings_add(&core->failed, device);
	} else if (vm && vm->state != CORE_OFF) {
		give(vm, device);
	}
}

const char *core_owner(const struct core *core, const char *device) {
	for (size_t i = 0; i < core->vms_count; i++) {
		if (strings_contain(&core->vms[i].given, device)) {
			return core->vms[i].name;
		}
	}
	return NULL;
}

const char *core_known_owner(const struct core *core, const char *device) {
	for (size_t i = 0; i < core->vms_count; i++) {
		const struct core_vm *vm = &core->vms[i];
		if (strings_contain(&vm->given, device) &&
			!strings_contain(&vm->presumed, device)) {
			return vm->name;
		}
	}
	return NULL;
}

bool core_knows_owners(const struct core *core) {
	bool known = core->states_known;
	for (size_t i = 0; i < core->vms_count; i++) {
		known = known && !core->vms[i].found;
	}
	return known;
}
