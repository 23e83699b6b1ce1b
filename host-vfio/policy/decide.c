#include "policy/decide.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "inventory/group.h"
#include "policy/guard.h"

struct decider {
	struct decisions *decisions;
	const struct policy *policy;
	const struct known *known;
	const struct machine *machine;
	const struct strings *running;
};

static void set(struct decision *decision, const struct policy_vm *vm, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void set(struct decision *decision, const struct policy_vm *vm, const char *format, ...) {
	char *reason = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&reason, format, args) < 0) {
		reason = must_copy("");
	}
	va_end(args);
	free(decision->reason);
	decision->reason = reason;
	decision->vm = vm;
}

/* Is the device one of those named? What cannot be found is said once, by warn_of_absent(). */
static bool is_named(const struct decider *decider, const struct strings *names,
	const struct pci_device *device) {
	for (size_t i = 0; i < names->count; i++) {
		if (known_resolve(decider->known, decider->machine, names->items[i], NULL) ==
			device) {
			return true;
		}
	}
	return false;
}

/* The first running VM of a role that takes the device. */
static const struct policy_vm *find_running(
	const struct decider *decider, enum policy_role role, const struct pci_device *device) {
	for (size_t i = 0; i < decider->running->count; i++) {
		const struct policy_vm *vm =
			policy_find_vm(decider->policy, decider->running->items[i]);
		if (vm && vm->role == role &&
			(vm->devices.count == 0 || is_named(decider, &vm->devices, device))) {
			return vm;
		}
	}
	return NULL;
}

static void apply_target(const struct decider *decider, struct decision *decision,
	enum policy_target target, const char *vm_name, const char *because) {
	const struct policy_vm *vm = NULL;
	switch (target) {
	case POLICY_HOST:
		set(decision, NULL, "%s", because);
		return;
	case POLICY_CONTROLLERS:
		vm = find_running(decider, POLICY_ROLE_CONTROLLER, decision->device);
		break;
	case POLICY_ROUTER:
		vm = find_running(decider, POLICY_ROLE_ROUTER, decision->device);
		break;
	case POLICY_VM:
		if (strings_contain(decider->running, vm_name)) {
			vm = policy_find_vm(decider->policy, vm_name);
		}
		break;
	}
	if (vm) {
		set(decision, vm, "%s", because);
	} else {
		set(decision, NULL, "%s, and none that takes it runs", because);
	}
}

static const struct policy_exception *find_exception(
	const struct decider *decider, const struct pci_device *device) {
	for (size_t i = 0; i < decider->policy->exceptions_count; i++) {
		const struct policy_exception *exception = &decider->policy->exceptions[i];
		if (known_resolve(decider->known, decider->machine, exception->device, NULL) ==
			device) {
			return exception;
		}
	}
	return NULL;
}

static void decide_alone(const struct decider *decider, struct decision *decision) {
	static const char *const targets[] = {
		[POLICY_HOST] = "the host",
		[POLICY_CONTROLLERS] = "controllers",
		[POLICY_ROUTER] = "the router",
	};
	const struct pci_device *device = decision->device;
	char *because;
	if (device->category == CATEGORY_BRIDGE) {
		set(decision, NULL, "bridges are never given away");
		return;
	}
	const struct policy_exception *exception = find_exception(decider, device);
	if (exception) {
		because = must_print("the policy has %s go to %s", exception->device,
			exception->vm ? exception->vm : targets[exception->target]);
		apply_target(decider, decision, exception->target, exception->vm, because);
	} else {
		enum policy_target target = decider->policy->categories[device->category];
		const char *category = category_name(device->category);
		because = decider->policy->absent
				  ? must_print("there is no policy that gives %s away", category)
				  : must_print("the policy has %s go to %s", category,
					    targets[target]);
		apply_target(decider, decision, target, NULL, because);
	}
	free(because);
	if (decision->vm && device->iommu_group < 0) {
		set(decision, NULL, "it is in no IOMMU group, so no VM can have it");
	}
}

static bool controller_runs(const struct decider *decider) {
	for (size_t i = 0; i < decider->running->count; i++) {
		const struct policy_vm *vm =
			policy_find_vm(decider->policy, decider->running->items[i]);
		if (vm && vm->role == POLICY_ROLE_CONTROLLER) {
			return true;
		}
	}
	return false;
}

/* Whether the guard takes something back. Each pass can change what is the last of its kind. */
static bool apply_guard(const struct decider *decider) {
	struct decisions *decisions = decider->decisions;
	bool *taken = must_alloc(decisions->count, sizeof(*taken));
	for (size_t i = 0; i < decisions->count; i++) {
		taken[i] = decisions->items[i].vm != NULL;
	}
	struct guard_objection *objections;
	size_t count = guard_check(decider->machine, taken, controller_runs(decider), &objections);
	bool changed = false;
	for (size_t i = 0; i < count; i++) {
		const struct pci_device *device = objections[i].device;
		struct decision *decision = &decisions->items[device - decider->machine->devices];
		if (changed && objections[i].rule == GUARD_NETWORK) {
			continue; /* what was just kept may do */
		}
		if (decision->vm && !is_named(decider, &decider->policy->unguarded, device)) {
			set(decision, NULL, "kept by the survival guard (%s): %s",
				guard_rule_name(objections[i].rule), objections[i].text);
			changed = true;
		}
	}
	guard_free(objections, count);
	free(taken);
	return changed;
}

/* The member of the group that keeps `decision`'s device from moving: one that goes elsewhere, or
 * one that stays and is bound to a driver of the host. */
static const struct decision *find_obstacle(
	const struct decider *decider, const struct decision *decision) {
	for (size_t i = 0; i < decider->decisions->count; i++) {
		const struct decision *other = &decider->decisions->items[i];
		if (other->device->iommu_group != decision->device->iommu_group ||
			other->vm == decision->vm) {
			continue;
		}
		if (other->vm || !group_driver_is_harmless(other->device->driver)) {
			return other;
		}
	}
	return NULL;
}

static bool apply_groups(const struct decider *decider) {
	bool changed = false;
	for (size_t i = 0; i < decider->decisions->count; i++) {
		struct decision *decision = &decider->decisions->items[i];
		const struct decision *obstacle =
			decision->vm ? find_obstacle(decider, decision) : NULL;
		if (!obstacle) {
			continue;
		}
		char *fate = obstacle->vm ? must_print("goes to %s", obstacle->vm->name)
					  : must_print("stays with the host (driver %s)",
						    obstacle->device->driver);
		set(decision, NULL, "it shares IOMMU group %d with %s, which %s",
			decision->device->iommu_group, obstacle->device->name, fate);
		free(fate);
		changed = true;
	}
	return changed;
}

static void warn_of_name(const struct decider *decider, const char *where, const char *name) {
	struct error error;
	if (!known_resolve(decider->known, decider->machine, name, &error)) {
		strings_take(
			&decider->decisions->warnings, must_print("%s: %s", where, error.text));
	}
}

static void warn_of_absent(const struct decider *decider) {
	const struct policy *policy = decider->policy;
	for (size_t i = 0; i < policy->exceptions_count; i++) {
		warn_of_name(decider, "device", policy->exceptions[i].device);
	}
	for (size_t i = 0; i < policy->unguarded.count; i++) {
		warn_of_name(decider, "unguard", policy->unguarded.items[i]);
	}
	for (size_t i = 0; i < policy->vms_count; i++) {
		for (size_t k = 0; k < policy->vms[i].devices.count; k++) {
			warn_of_name(decider, policy->vms[i].name, policy->vms[i].devices.items[k]);
		}
	}
	for (size_t i = 0; i < decider->running->count; i++) {
		if (!policy_find_vm(policy, decider->running->items[i])) {
			strings_take(&decider->decisions->warnings,
				must_print(
					"the policy has no VM \"%s\"", decider->running->items[i]));
		}
	}
}

void decide(struct decisions *decisions, const struct policy *policy, const struct known *known,
	const struct machine *machine, const struct strings *running) {
	struct decider decider = {decisions, policy, known, machine, running};
	*decisions = (struct decisions){
		.items = must_alloc(machine->devices_count, sizeof(*decisions->items)),
		.count = machine->devices_count,
	};
	warn_of_absent(&decider);
	for (size_t i = 0; i < decisions->count; i++) {
		decisions->items[i].device = &machine->devices[i];
		decide_alone(&decider, &decisions->items[i]);
	}
	/* Every round keeps at least one device more, so this ends. */
	while (apply_guard(&decider) || apply_groups(&decider)) {
	}
}

void decisions_finish(struct decisions *decisions) {
	for (size_t i = 0; i < decisions->count; i++) {
		free(decisions->items[i].reason);
	}
	free(decisions->items);
	strings_finish(&decisions->warnings);
	*decisions = (struct decisions){0};
}
