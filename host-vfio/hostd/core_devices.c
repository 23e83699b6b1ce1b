#include "hostd/core-impl.h"

#include <stdlib.h>
#include <string.h>

#include "inventory/group.h"
#include "release/release.h"

struct strings core_running(const struct core *core) {
	struct strings names = {0};
	unsigned last = 0;
	for (;;) {
		const struct core_vm *next = NULL;
		for (size_t i = 0; i < core->vms_count; i++) {
			const struct core_vm *vm = &core->vms[i];
			if (vm->state != CORE_OFF && vm->order > last &&
				(!next || vm->order < next->order)) {
				next = vm;
			}
		}
		if (!next) {
			return names;
		}
		strings_add(&names, next->name);
		last = next->order;
	}
}

void core_decide(
	struct decisions *decisions, const struct core *core, const struct core_view *view) {
	struct strings running = core_running(core);
	decide(decisions, view->policy, view->known, view->machine, &running);
	strings_finish(&running);
}

bool core_is_vfio(const struct pci_device *device) {
	return device->driver && strcmp(device->driver, "vfio-pci") == 0;
}

bool core_is_held(const struct core *core, const struct pci_device *device) {
	if (strings_contain(&core->attaching, device->name)) {
		return true;
	}
	for (size_t i = 0; i < device->holders_count; i++) {
		const struct holder *holder = &device->holders[i];
		if (holder->kind == HOLDER_PROCESS && holder->through &&
			strncmp(holder->through, "/dev/vfio/", 10) == 0) {
			return true;
		}
	}
	return false;
}

bool core_is_for(const struct decision *decision, const char *vm) {
	return decision->vm && strcmp(decision->vm->name, vm) == 0;
}

/* A group returns when none of it is held, and none of it belongs to a VM. */
static bool group_is_free(const struct core *core, const struct decisions *decisions,
	const struct pci_device *device) {
	for (size_t i = 0; i < decisions->count; i++) {
		const struct decision *other = &decisions->items[i];
		if (group_is_same(other->device, device) &&
			(other->vm || core_is_held(core, other->device))) {
			return false;
		}
	}
	return true;
}

/* Devices of the host that policy once gave away. */
static bool is_astray(const struct core *core, const struct core_view *view,
	const struct decision *decision, size_t index) {
	return view->ours[index] && !decision->vm && core_is_vfio(decision->device) &&
	       !strings_contain(&core->failed, decision->device->name);
}

/* Cards return together, until that has failed. */
static void choose_return(const struct core *core, const struct core_view *view,
	const struct strings *astray, struct core_action *action) {
	struct strings next = release_next_return(view->machine, astray);
	struct strings group = release_first_group(view->machine, &next);
	bool apart = false;
	for (size_t i = 0; i < next.count; i++) {
		apart |= strings_contain(&core->apart, next.items[i]);
	}
	action->several = !apart && group.count < next.count;
	action->names = apart ? group : next;
	strings_finish(apart ? &next : &group);
}

bool core_plan_return(
	const struct core *core, const struct core_view *view, struct core_action *action) {
	struct decisions decisions;
	struct strings astray = {0};
	*action = (struct core_action){.kind = CORE_RETURN};
	core_decide(&decisions, core, view);
	for (size_t i = 0; i < decisions.count; i++) {
		const struct decision *decision = &decisions.items[i];
		if (is_astray(core, view, decision, i) &&
			group_is_free(core, &decisions, decision->device)) {
			strings_add(&astray, decision->device->name);
		}
	}
	decisions_finish(&decisions);
	choose_return(core, view, &astray, action);
	strings_finish(&astray);
	return action->names.count > 0;
}

const char *core_find_kept(const struct core *core, const struct core_view *view) {
	struct decisions decisions;
	const char *kept = NULL;
	core_decide(&decisions, core, view);
	for (size_t i = 0; i < decisions.count && !kept; i++) {
		if (is_astray(core, view, &decisions.items[i], i)) {
			kept = decisions.items[i].device->name;
		}
	}
	decisions_finish(&decisions);
	return kept;
}

bool core_plan_take(const struct core *core, const struct core_view *view, const char *vm,
	struct core_action *action) {
	struct decisions decisions;
	bool wait = false;
	*action = (struct core_action){.kind = CORE_TAKE};
	core_decide(&decisions, core, view);
	for (size_t i = 0; i < decisions.count; i++) {
		const struct pci_device *device = decisions.items[i].device;
		/* One that is held without VFIO's driver is being unplugged. */
		if (core_is_for(&decisions.items[i], vm) && !core_is_vfio(device) &&
			!core_is_held(core, device) &&
			!strings_contain(&core->failed, device->name)) {
			strings_add(&action->names, device->name);
			wait |= view->settling && !device->driver;
		}
	}
	decisions_finish(&decisions);
	return action->names.count > 0 && !wait;
}

bool core_is_apart(const struct core *core, const struct core_view *view, const char *vm) {
	struct decisions decisions;
	bool apart = !core->moving_any;
	core_decide(&decisions, core, view);
	for (size_t i = 0; i < core->moving.count && apart; i++) {
		const struct pci_device *moved = machine_find(view->machine, core->moving.items[i]);
		/* Whose it is cannot be told while the kernel is made to forget it. */
		apart = moved != NULL;
		for (size_t k = 0; k < decisions.count && apart; k++) {
			apart = !core_is_for(&decisions.items[k], vm) ||
				!group_is_same(decisions.items[k].device, moved);
		}
	}
	decisions_finish(&decisions);
	return apart;
}

bool core_is_ready(const struct core *core, const struct core_view *view, const char *vm) {
	struct decisions decisions;
	bool ready = true;
	core_decide(&decisions, core, view);
	for (size_t i = 0; i < decisions.count && ready; i++) {
		const struct pci_device *device = decisions.items[i].device;
		ready = !core_is_for(&decisions.items[i], vm) ||
			(core_is_vfio(device) && !core_is_held(core, device));
	}
	decisions_finish(&decisions);
	return ready;
}

static bool is_controller(const struct core_view *view, const char *name) {
	const struct policy_vm *vm = policy_find_vm(view->policy, name);
	return vm && vm->role == POLICY_ROLE_CONTROLLER;
}

/* Where devices would go if this controller ran, and no other. */
static void decide_alone(struct decisions *decisions, const struct core *core,
	const struct core_view *view, const char *vm) {
	struct strings running = {0};
	for (size_t i = 0; i < core->vms_count; i++) {
		const struct core_vm *other = &core->vms[i];
		if (other->state != CORE_OFF && !is_controller(view, other->name)) {
			strings_add(&running, other->name);
		}
	}
	strings_add(&running, vm);
	decide(decisions, view->policy, view->known, view->machine, &running);
	strings_finish(&running);
}

static const char *find_shared(const struct decisions *alone, const struct decisions *now,
	const char *vm, const char *rival) {
	for (size_t i = 0; i < alone->count; i++) {
		if (core_is_for(&alone->items[i], vm) && core_is_for(&now->items[i], rival)) {
			return alone->items[i].device->name;
		}
	}
	return NULL;
}

/* What `vm`, who is to start, and another controller that runs both have; NULL: nothing. */
static const char *find_contested(const struct core_view *view, const struct decisions *alone,
	const struct decisions *now, const char *vm, const struct core_vm *other) {
	if (other->state == CORE_OFF || !is_controller(view, other->name) ||
		(vm && strcmp(vm, other->name) == 0)) {
		return NULL;
	}
	return vm ? find_shared(alone, now, vm, other->name) : "";
}

struct core_vm *core_find_rival(struct core *core, const struct core_view *view, const char *vm,
	bool unasked, const char **device) {
	struct decisions alone = {0}, now;
	struct core_vm *rival = NULL;
	if (vm) {
		decide_alone(&alone, core, view, vm);
	}
	core_decide(&now, core, view);
	for (size_t i = 0; i < core->vms_count && !rival; i++) {
		struct core_vm *other = &core->vms[i];
		const char *shared = unasked && other->asked
					     ? NULL
					     : find_contested(view, &alone, &now, vm, other);
		if (shared) {
			rival = other;
			if (device) {
				*device = shared;
			}
		}
	}
	decisions_finish(&now);
	decisions_finish(&alone);
	return rival;
}

struct strings core_rivals(const struct core *core, const struct core_view *view, const char *vm) {
	struct decisions alone, now;
	struct strings rivals = {0};
	decide_alone(&alone, core, view, vm);
	core_decide(&now, core, view);
	for (size_t i = 0; i < core->vms_count; i++) {
		if (find_contested(view, &alone, &now, vm, &core->vms[i])) {
			strings_add(&rivals, core->vms[i].name);
		}
	}
	decisions_finish(&now);
	decisions_finish(&alone);
	return rivals;
}
