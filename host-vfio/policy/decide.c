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

/* Is the device one of those named? What cannot be found is said once, by warn(). */
static bool is_named(const struct decider *decider, const struct strings *names,
	const struct pci_device *device) {
	for (size_t i = 0; i < names->count; i++) {
		if (known_resolve_lasting(
			    decider->known, decider->machine, names->items[i], NULL) == device) {
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
		/* What is to stay stays, whatever it has become. */
		struct pci_device *(*resolve)(const struct known *, const struct machine *,
			const char *, struct error *) =
			exception->target == POLICY_HOST ? known_resolve : known_resolve_lasting;
		if (resolve(decider->known, decider->machine, exception->device, NULL) == device) {
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

/* Whether the guard takes something back. Each pass can change what is the last of its kind. */
static bool apply_guard(const struct decider *decider) {
	struct decisions *decisions = decider->decisions;
	bool *taken = must_alloc(decisions->count, sizeof(*taken));
	bool *lent = must_alloc(decisions->count, sizeof(*lent));
	for (size_t i = 0; i < decisions->count; i++) {
		const struct policy_vm *vm = decisions->items[i].vm;
		taken[i] = vm != NULL;
		lent[i] = vm && vm->role == POLICY_ROLE_CONTROLLER;
	}
	struct guard_objection *objections;
	size_t count = guard_check(decider->machine, taken, lent, &objections);
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
	free(lent);
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

/* Is what is at the address known by its name as well, so that another card would be noticed? */
static bool is_watched(const struct decider *decider, const struct pci_device *device) {
	const char *name = known_name_of(decider->known, decider->machine, device);
	const struct known_device *entry = name ? known_find(decider->known, name) : NULL;
	return entry && strcmp(entry->address, device->name) == 0;
}

/* `addresses`: what is named by nothing else. */
static void warn_of_name(const struct decider *decider, const char *where, const char *name,
	struct strings *addresses) {
	struct pci_address address;
	struct error error;
	const struct pci_device *device =
		known_resolve_lasting(decider->known, decider->machine, name, &error);
	if (!device) {
		strings_take(
			&decider->decisions->warnings, must_print("%s: %s", where, error.text));
	} else if (pci_address_parse(name, &address) && !is_watched(decider, device) &&
		   !strings_contain(addresses, name)) {
		strings_add(addresses, name);
	}
}

static void warn_of_addresses(const struct decider *decider, const struct strings *addresses) {
	char *list = must_copy("");
	for (size_t i = 0; i < addresses->count; i++) {
		char *longer = must_print("%s%s%s", list, i > 0 ? ", " : "", addresses->items[i]);
		free(list);
		list = longer;
	}
	if (addresses->count > 0) {
		strings_take(&decider->decisions->warnings,
			must_print("named by address only: %s. When cards are changed, another one "
				   "can have the address; a name stays with its card (portal-host "
				   "remember ADDRESS NAME)",
				list));
	}
	free(list);
}

static void warn_of_names(const struct decider *decider) {
	const struct policy *policy = decider->policy;
	struct strings addresses = {0};
	for (size_t i = 0; i < policy->exceptions_count; i++) {
		warn_of_name(decider, "device", policy->exceptions[i].device, &addresses);
	}
	for (size_t i = 0; i < policy->unguarded.count; i++) {
		warn_of_name(decider, "unguard", policy->unguarded.items[i], &addresses);
	}
	for (size_t i = 0; i < policy->vms_count; i++) {
		const struct policy_vm *vm = &policy->vms[i];
		for (size_t k = 0; k < vm->devices.count; k++) {
			warn_of_name(decider, vm->name, vm->devices.items[k], &addresses);
		}
	}
	for (size_t i = 0; i < policy->release.resets_count; i++) {
		warn_of_name(decider, "reset", policy->release.resets[i].device, &addresses);
	}
	warn_of_addresses(decider, &addresses);
	strings_finish(&addresses);
}

static void warn(const struct decider *decider) {
	const struct policy *policy = decider->policy;
	warn_of_names(decider);
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
	warn(&decider);
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
