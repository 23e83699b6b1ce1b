#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "release/release.h"

#define VFIO "vfio-pci"

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

static void give(struct pci_device *device) {
	free(device->driver);
	free(device->driver_override);
	device->driver = must_copy(VFIO);
	device->driver_override = must_copy(VFIO);
	machine_drop_holders(device, always, NULL);
}

void release_foresee(struct machine *machine, const struct plan *plan) {
	machine->vfio_pci |= plan->devices_count > 0;
	for (size_t i = 0; i < machine->devices_count; i++) {
		struct pci_device *device = &machine->devices[i];
		if (plan_has(plan, device->name)) {
			give(device);
		} else {
			machine_drop_holders(device, lets_go, plan);
		}
	}
}
