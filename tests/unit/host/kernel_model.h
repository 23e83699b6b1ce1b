#ifndef TESTS_HOST_KERNEL_MODEL_H
#define TESTS_HOST_KERNEL_MODEL_H

#include "transaction/step.h"
#include "tree/memory.h"

/* A recorded machine whose drivers can be changed as the kernel lets them be (drivers/base/bus.c,
 * drivers/base/dd.c, drivers/pci/pci-driver.c): what bind, unbind and driver_override accept, and
 * with which errno they refuse. Its state is shared with the processes forked after its creation,
 * and any operation of theirs can be made to fail, take its time, hang, or kill who asked for it.
 */
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
	FAULT_KILL, /* SIGKILLs the parent of the calling process, changing nothing */
	FAULT_KILL_LATE, /* does it, then SIGKILLs the parent */
};

struct fault {
	enum fault_kind kind;
	unsigned operation; /* the how manieth from kernel_model_arm() on, from 0 */
	int error;
};

struct kernel_model *kernel_model_create(const char *fixture);
void kernel_model_destroy(struct kernel_model *model);
/* Belongs to the model. */
struct tree *kernel_model_tree(struct kernel_model *model);
struct memory_tree *kernel_model_memory(struct kernel_model *model);
struct step_host kernel_model_host(struct kernel_model *model);

/* Counts operations from here, with these faults, each of which happens once. At most four. */
void kernel_model_arm(struct kernel_model *model, const struct fault *faults, size_t count);
/* Operations since then: writes, and loading of drivers. */
unsigned kernel_model_operations(const struct kernel_model *model);
/* What they were, as the sentences of their steps, one a line; the caller's. */
char *kernel_model_log(const struct kernel_model *model);
/* Ends everything that hangs. */
void kernel_model_release(struct kernel_model *model);
/* A VM has the VFIO device open: unbinding it hangs until release. */
void kernel_model_hold(struct kernel_model *model, const char *address);

/* Every device's driver and override, one a line; the caller's. */
char *kernel_model_state(const struct kernel_model *model);

#endif
