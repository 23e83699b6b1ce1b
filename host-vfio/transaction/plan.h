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
	STEP_UNBIND, /* a device without a driver is as wanted */
	STEP_BIND,
	STEP_SET, /* bring one of the plan's settings to a value */
	STEP_END, /* ask a process to end; cannot be undone */
	STEP_KILL, /* the same, and end it by force when half of the time is over */
	STEP_UNHELD, /* see that no process has the device open */
	STEP_RESET_METHOD, /* say by which methods the kernel resets the device */
	STEP_RESET, /* by one method, which then is the device's only one */
	/* Everything on the bus of `device`, all of which VFIO has. */
	STEP_HOT_RESET,
	STEP_RESET_BUS, /* everything below the bridge `device`, by the bridge's own file */
	STEP_REMOVE, /* the kernel forgets the device */
	STEP_RESCAN, /* and looks for it again, on the bus of `device` */
	STEP_FIND, /* see that it is the same card, alone in its IOMMU group */
	STEP_SUSPEND, /* to memory (S3), until the clock's alarm */
	STEP_PROBE, /* see that the device answers, and that VFIO can open it */
};

/* What is changed on a machine beside its drivers. */
enum setting_kind {
	SETTING_UNIT, /* a systemd unit, "UNIT" or "UID/UNIT": "active" or "inactive" */
	SETTING_CONSOLE, /* a text console, by what vtconsole/NAME/name says: "1" or "0" */
	SETTING_FRAMEBUFFER, /* a platform device of the firmware: its driver, or "" */
	SETTING_AUTOPROBE, /* do drivers bind new PCI devices: "1" or "0" */
	SETTING_MEM_SLEEP, /* what suspending to memory is: "deep" (S3), "s2idle" … */
	SETTING_POWER, /* may a PCI device, by its address, sleep when idle: "auto" or "on" (no) */
};

struct step {
	enum step_kind kind;
	char *device; /* address, or NULL where it concerns no device */
	char *driver; /* NULL for STEP_OVERRIDE: none */
	enum setting_kind setting; /* of STEP_SET */
	char *name; /* the setting's, or the process's */
	char *value; /* the setting's, or the reset method or methods */
	int pid; /* of STEP_END and STEP_KILL */
	unsigned seconds; /* of STEP_SUSPEND */
	unsigned rung; /* 0: always done; else only as a part of this rung of the ladder */
	unsigned deadline_ms; /* how long the kernel may take */
};

/* Which driver a device has, and which one alone it may have. NULL: none. */
struct driver_state {
	char *driver;
	char *override;
	/* The kernel's reset methods in order of preference. NULL: not known, and left alone. */
	char *reset;
};

struct plan_device {
	char *address;
	struct identity identity;
	struct driver_state former, wanted;
};

struct plan_setting {
	enum setting_kind kind;
	char *name; /* "" where there is only one */
	char *former, *wanted;
};

/* One of several ways to the same end, from the mildest to the harshest: the first whose steps all
 * succeed is the last that is tried. */
struct plan_rung {
	char *title; /* what it does, as an infinitive */
	bool confirm; /* the user is asked before */
};

struct plan {
	struct plan_device *devices;
	size_t devices_count;
	struct plan_setting *settings; /* in the order in which they are changed */
	size_t settings_count;
	struct plan_rung *rungs; /* the rung of a step is its index here plus one */
	size_t rungs_count;
	struct step *steps; /* in order; empty: everything is as wanted */
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
/* Is the device one of those that change hands when these are taken? */
bool plan_take_concerns(const struct machine *machine, const struct strings *names,
	const struct pci_device *device);
/* Adds one device's way to a state, with the steps for it. */
void plan_add(
	struct plan *plan, const struct pci_device *device, const struct driver_state *wanted);
void plan_finish(struct plan *plan);
/* Adds one device as it is, with no step. Its entry, valid until the next is added. */
struct plan_device *plan_add_device(
	struct plan *plan, const struct pci_device *device, const struct driver_state *wanted);
/* Adds a setting whose former value is known; nothing when it is there already. Strings are copied.
 */
void plan_add_setting(struct plan *plan, enum setting_kind kind, const char *name,
	const char *former, const char *wanted);
/* Adds a rung; its number, for the steps. */
unsigned plan_add_rung(struct plan *plan, bool confirm, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Adds a step with the deadline that its kind has by default. Strings are copied. */
struct step *plan_add_step(struct plan *plan, enum step_kind kind, unsigned rung,
	const char *device, const char *driver);
/* Adds the step that brings a setting to a value. */
void plan_add_set(struct plan *plan, unsigned rung, enum setting_kind kind, const char *name,
	const char *value);
bool plan_has(const struct plan *plan, const char *address);

bool driver_state_equal(const struct driver_state *a, const struct driver_state *b);
void driver_state_finish(struct driver_state *state);

/* One step as a sentence without a full stop; the caller's. */
char *step_sentence(const struct step *step);
/* False when there is none of that name. */
bool setting_kind_from_name(const char *name, enum setting_kind *kind);
void plan_print(const struct plan *plan, FILE *file);
/* The caller's. */
sd_json_variant *plan_json(const struct plan *plan);

#endif
