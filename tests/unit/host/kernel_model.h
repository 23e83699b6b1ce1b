#ifndef TESTS_HOST_KERNEL_MODEL_H
#define TESTS_HOST_KERNEL_MODEL_H

#include "transaction/step.h"
#include "tree/memory.h"

/* A recorded machine that can be changed as the kernel lets it be (drivers/base/bus.c,
 * drivers/base/dd.c, drivers/pci/pci-driver.c and pci-sysfs.c, fbcon.c, kernel/power): what bind,
 * unbind, driver_override, reset_method, reset, remove and rescan accept, and with which errno they
 * refuse; ports that sleep when nothing is left behind them; framebuffers and the text console that
 * come and go with drivers; suspending; and, beside the kernel, processes and units that end. Its
 * state is shared with the processes forked after its creation, and any operation of theirs can be
 * made to fail, take its time, hang, or kill who asked for it. */
struct kernel_model;

enum fault_kind {
	FAULT_FAIL, /* refuses with `error`, changing nothing */
	FAULT_FAIL_LATE, /* does it and reports `error` all the same */
	FAULT_IGNORE, /* says yes and does nothing */
	FAULT_DELAY, /* takes some milliseconds */
	FAULT_HANG, /* blocks in a way that a signal ends, changing nothing */
	/* Blocks with the device's lock held: whoever touches the device after that blocks too,
	 * until kernel_model_release(), upon which the operation completes. */
	FAULT_HANG_LOCKED,
	FAULT_HANG_STUCK, /* the same, and not even SIGKILL ends it before that */
	FAULT_UNPLUG, /* the device is pulled out of its slot before it */
	FAULT_KILL, /* SIGKILLs the parent of the calling process, changing nothing */
	FAULT_KILL_LATE, /* does it, then SIGKILLs the parent */
};

struct fault {
	enum fault_kind kind;
	unsigned operation; /* the how manieth from kernel_model_arm() on, from 0 */
	int error;
};

struct kernel_model *kernel_model_create(const char *fixture);
/* The same of a tree, which is taken over. */
struct kernel_model *kernel_model_create_from(struct memory_tree *tree);
void kernel_model_destroy(struct kernel_model *model);
/* Belongs to the model. */
struct tree *kernel_model_tree(struct kernel_model *model);
struct memory_tree *kernel_model_memory(struct kernel_model *model);
struct step_host kernel_model_host(struct kernel_model *model);

/* Counts operations from here, with these faults, each of which happens once. At most four.
 * Processes that were ended are there again. */
void kernel_model_arm(struct kernel_model *model, const struct fault *faults, size_t count);
/* Operations since then: everything that changes something, and opening a device by VFIO. */
unsigned kernel_model_operations(const struct kernel_model *model);
/* What they were, as the sentences of their steps, one a line; the caller's. */
char *kernel_model_log(const struct kernel_model *model);
/* Ends everything that hangs. */
void kernel_model_release(struct kernel_model *model);
/* Steps that hang have no more time than that, and all others as much as they take; after this,
 * those that hang have time until kernel_model_expire(), which `hangs` (may be NULL) tells of, in
 * the process that hangs. */
void kernel_model_take_time(struct kernel_model *model, void (*hangs)(const char *sentence));
/* The time of everything that hangs now is over. */
void kernel_model_expire(struct kernel_model *model);
/* The next operation of this kind on a device has this fault. */
void kernel_model_trap(struct kernel_model *model, const char *address, enum step_kind operation,
	enum fault_kind fault);
/* A VM has the VFIO device open: unbinding it hangs until release. */
void kernel_model_hold(struct kernel_model *model, const char *address);
/* Somebody hangs with the device's lock held. */
void kernel_model_lock(struct kernel_model *model, const char *address);
/* The card does not answer once its driver let go of it, until it is cured: by a reset method,
 * "reset-bus", whichever way that is done, "rescan", "suspend", or nothing (""). NULL: it always
 * answers. */
void kernel_model_break(struct kernel_model *model, const char *address, const char *cure);
/* Pulls the card out the next time that the kernel is told to forget it. */
void kernel_model_pull(struct kernel_model *model, const char *address);
/* Pulls it out now; puts it back, as the kernel finds it. */
void kernel_model_unplug(struct kernel_model *model, const char *address);
void kernel_model_plug(struct kernel_model *model, const char *address);
/* Takes CAP_SYS_ADMIN away from whoever changes something, as portal-hostd's unit does. */
void kernel_model_confine(struct kernel_model *model);
/* A unit that is active. */
void kernel_model_add_unit(struct kernel_model *model, const char *name);
/* What logind says of suspending; NULL: nothing against it. */
void kernel_model_inhibit(struct kernel_model *model, const char *reason);

/* Everything that can be changed, but for processes, a line each; the caller's. */
char *kernel_model_state(const struct kernel_model *model);

#endif
