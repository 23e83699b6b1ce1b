#ifndef HOST_TRANSACTION_PLAN_H
#define HOST_TRANSACTION_PLAN_H

#include <stdio.h>
#include <systemd/sd-json.h>

#include "base/error.h"
#include "base/strings.h"
#include "identity/identity.h"

/* A change of drivers, as it can be read before it happens. Devices are moved with driver_override,
 * which concerns one device, and never with new_id, which concerns every device of a kind
 * (Documentation/ABI/testing/sysfs-bus-pci). */

enum step_kind {
	STEP_LOAD, /* load a driver's module; stays loaded when the rest is undone */
	STEP_OVERRIDE, /* say which driver alone may bind the device, or that any may again */
	STEP_UNBIND,
	STEP_BIND,
};

struct step {
	enum step_kind kind;
	char *device; /* address; NULL for STEP_LOAD */
	char *driver; /* NULL for STEP_OVERRIDE: none */
	unsigned deadline_ms; /* how long the kernel may take */
};

/* Which driver a device has, and which one alone it may have. NULL: none. */
struct driver_state {
	char *driver;
	char *override;
};

struct plan_device {
	char *address;
	struct identity identity;
	struct driver_state former, wanted;
};

struct plan {
	struct plan_device *devices;
	size_t devices_count;
	struct step *steps; /* empty: everything is as wanted */
	size_t steps_count;
};

/* Adds the steps that lead a device from one state to the other: override first, so that no other
 * driver comes between, then unbind, then bind. */
void plan_transition(struct plan *plan, const char *address, const struct driver_state *from,
	const struct driver_state *to);

/* Everything needed for a VM to take these devices: all functions of their IOMMU groups but
 * bridges, and parts of the machine itself that have no driver, go to vfio-pci. `names` are
 * addresses that the machine has. */
void plan_take(struct plan *plan, const struct machine *machine, const struct strings *names);
/* Adds one device's way to a state, with the steps for it. */
void plan_add(
	struct plan *plan, const struct pci_device *device, const struct driver_state *wanted);
void plan_finish(struct plan *plan);
bool plan_has(const struct plan *plan, const char *address);

bool driver_state_equal(const struct driver_state *a, const struct driver_state *b);
void driver_state_copy(struct driver_state *to, const struct driver_state *from);
void driver_state_finish(struct driver_state *state);

/* One step as a sentence without a full stop; the caller's. */
char *step_sentence(const struct step *step);
void plan_print(const struct plan *plan, FILE *file);
/* The caller's. */
sd_json_variant *plan_json(const struct plan *plan);

#endif
