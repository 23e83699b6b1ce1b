#include "transaction/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "inventory/group.h"

enum {
	OVERRIDE_MS = 5000,
	/* A driver that lets go of a graphics card flushes and frees gigabytes. */
	UNBIND_MS = 30000,
	/* Binding resets the card and may train its link. */
	BIND_MS = 30000,
	LOAD_MS = 30000,
};

static bool same(const char *a, const char *b) {
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool driver_state_equal(const struct driver_state *a, const struct driver_state *b) {
	return same(a->driver, b->driver) && same(a->override, b->override);
}

void driver_state_copy(struct driver_state *to, const struct driver_state *from) {
	*to = (struct driver_state){
		.driver = must_copy(from->driver), .override = must_copy(from->override)};
}

void driver_state_finish(struct driver_state *state) {
	free(state->driver);
	free(state->override);
	*state = (struct driver_state){0};
}

static void add_step(struct plan *plan, enum step_kind kind, const char *device, const char *driver,
	unsigned deadline_ms) {
	plan->steps = must_grow(plan->steps, plan->steps_count, sizeof(*plan->steps));
	plan->steps[plan->steps_count++] = (struct step){
		.kind = kind,
		.device = must_copy(device),
		.driver = must_copy(driver),
		.deadline_ms = deadline_ms,
	};
}

void plan_transition(struct plan *plan, const char *address, const struct driver_state *from,
	const struct driver_state *to) {
	if (!same(from->override, to->override)) {
		add_step(plan, STEP_OVERRIDE, address, to->override, OVERRIDE_MS);
	}
	if (same(from->driver, to->driver)) {
		return;
	}
	if (from->driver) {
		add_step(plan, STEP_UNBIND, address, from->driver, UNBIND_MS);
	}
	if (to->driver) {
		add_step(plan, STEP_BIND, address, to->driver, BIND_MS);
	}
}

bool plan_has(const struct plan *plan, const char *address) {
	for (size_t i = 0; i < plan->devices_count; i++) {
		if (strcmp(plan->devices[i].address, address) == 0) {
			return true;
		}
	}
	return false;
}

void plan_add(
	struct plan *plan, const struct pci_device *device, const struct driver_state *wanted) {
	struct driver_state former = {device->driver, device->driver_override};
	if (plan_has(plan, device->name) || driver_state_equal(&former, wanted)) {
		return;
	}
	plan->devices = must_grow(plan->devices, plan->devices_count, sizeof(*plan->devices));
	struct plan_device *entry = &plan->devices[plan->devices_count++];
	*entry = (struct plan_device){.address = must_copy(device->name)};
	identity_init(&entry->identity, device);
	driver_state_copy(&entry->former, &former);
	driver_state_copy(&entry->wanted, wanted);
	plan_transition(plan, entry->address, &former, wanted);
}

/* Does the device go along when another one of its group is taken? */
static bool goes_along(const struct pci_device *device) {
	if (device->category == CATEGORY_BRIDGE) {
		return false;
	}
	/* The SMBus controller and its like are left alone; bound ones are the preflight's matter.
	 */
	return device->category != CATEGORY_SYSTEM;
}

void plan_take(struct plan *plan, const struct machine *machine, const struct strings *names) {
	const struct driver_state wanted = {(char *)"vfio-pci", (char *)"vfio-pci"};
	*plan = (struct plan){0};
	if (!machine->vfio_pci) {
		add_step(plan, STEP_LOAD, NULL, wanted.driver, LOAD_MS);
	}
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		bool named = false, shares = false;
		for (size_t k = 0; k < names->count; k++) {
			const struct pci_device *other = machine_find(machine, names->items[k]);
			named |= other == device;
			shares |= other && other->iommu_group >= 0 &&
				  other->iommu_group == device->iommu_group;
		}
		/* One that VFIO has already, by whatever way, is as it should be. */
		bool there = device->driver && strcmp(device->driver, wanted.driver) == 0;
		if (!there && (named || (shares && goes_along(device)))) {
			plan_add(plan, device, &wanted);
		}
	}
	if (plan->devices_count == 0) {
		plan_finish(plan);
	}
}

void plan_finish(struct plan *plan) {
	for (size_t i = 0; i < plan->devices_count; i++) {
		struct plan_device *device = &plan->devices[i];
		free(device->address);
		identity_finish(&device->identity);
		driver_state_finish(&device->former);
		driver_state_finish(&device->wanted);
	}
	for (size_t i = 0; i < plan->steps_count; i++) {
		free(plan->steps[i].device);
		free(plan->steps[i].driver);
	}
	free(plan->devices);
	free(plan->steps);
	*plan = (struct plan){0};
}
