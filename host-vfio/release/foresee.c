#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "release/release.h"

/* A process that a step ends, by itself or with its unit. */
static bool is_ended(const struct holder *holder, const struct step *step) {
	if (holder->kind != HOLDER_PROCESS) {
		return false;
	}
	if (step->kind == STEP_END || step->kind == STEP_KILL) {
		return step->pid == holder->pid;
	}
	return step->kind == STEP_SET && step->setting == SETTING_UNIT && holder->unit &&
	       strcmp(step->value, "inactive") == 0 && strcmp(step->name, holder->unit) == 0;
}

static bool lets_go(const struct holder *holder, const void *data) {
	const struct plan *plan = data;
	for (size_t i = 0; i < plan->steps_count; i++) {
		if (is_ended(holder, &plan->steps[i])) {
			return true;
		}
	}
	return false;
}

static bool always(const struct holder *holder, const void *data) {
	return true;
}

static void give(struct pci_device *device, const struct driver_state *wanted) {
	free(device->driver);
	free(device->driver_override);
	device->driver = must_copy(wanted->driver);
	device->driver_override = must_copy(wanted->override);
	machine_drop_holders(device, always, NULL);
}

static const struct plan_device *find(const struct plan *plan, const char *address) {
	for (size_t i = 0; i < plan->devices_count; i++) {
		if (strcmp(plan->devices[i].address, address) == 0) {
			return &plan->devices[i];
		}
	}
	return NULL;
}

void release_foresee(struct machine *machine, const struct plan *plan) {
	machine->vfio_pci |= plan->devices_count > 0;
	for (size_t i = 0; i < machine->devices_count; i++) {
		struct pci_device *device = &machine->devices[i];
		const struct plan_device *planned = find(plan, device->name);
		if (planned) {
			give(device, &planned->wanted);
		} else {
			machine_drop_holders(device, lets_go, plan);
		}
	}
}
