#ifndef HOST_HOSTD_CORE_IMPL_H
#define HOST_HOSTD_CORE_IMPL_H

#include "hostd/core.h"

/* The parts of core.h among themselves. */

/* Something waits to be answered by core_next(). */
struct core_answer {
	enum core_action_kind kind;
	char *vm;
	char *reason;
};

/* `reason` is taken over. */
void core_answer(struct core *core, enum core_action_kind kind, const char *vm, char *reason);
/* One whose hook waits is not to be started. `reason` is taken over. */
void core_refuse(struct core *core, struct core_vm *vm, char *reason);
void core_set(struct core *core, struct core_vm *vm, enum core_vm_state state);

/* core_devices.c: where devices belong, and what has to be moved. */

/* While those VMs run that do; the caller finishes it. */
void core_decide(
	struct decisions *decisions, const struct core *core, const struct core_view *view);
/* Does a process have it open through VFIO, or is about to? */
bool core_is_held(const struct core *core, const struct pci_device *device);
bool core_is_vfio(const struct pci_device *device);
bool core_is_for(const struct decision *decision, const char *vm);
/* Fills in CORE_RETURN, or CORE_TAKE; false: there is nothing of the kind to do. */
bool core_plan_return(
	const struct core *core, const struct core_view *view, struct core_action *action);
bool core_plan_take(const struct core *core, const struct core_view *view, const char *vm,
	struct core_action *action);
/* Has a VM that starts nothing of what the change under way concerns? */
bool core_is_apart(const struct core *core, const struct core_view *view, const char *vm);
/* Is everything that a VM is to have ready for it, and open nowhere? */
bool core_is_ready(const struct core *core, const struct core_view *view, const char *vm);
/* A controller other than `vm` that runs and has something `vm` would have if it ran alone, and of
 * `vm` NULL any that runs; with `unasked` only one that was not asked to shut down. `device` (may
 * be NULL) is set to the address. NULL: there is none. */
struct core_vm *core_find_rival(struct core *core, const struct core_view *view, const char *vm,
	bool unasked, const char **device);
/* The address of a device that is to be returned and is held; NULL: there is none. */
const char *core_find_kept(const struct core *core, const struct core_view *view);

/* core_attach.c: what comes to VMs that run. */

/* It starts now, and is to find there everything that is its own. */
void core_give_all(struct core *core, const struct core_view *view, struct core_vm *vm);
/* What VMs do not have any more can be given to them again. */
void core_forget_lost(struct core *core, const struct core_view *view);
bool core_plan_attach(struct core *core, const struct core_view *view, struct core_action *action);

/* core_switch.c: from one controller to another. */

bool core_switch_next(struct core *core, const struct core_view *view, struct core_action *action);
/* It cannot go on: back to what was left, where the policy says so. */
void core_switch_failed(struct core *core, const struct core_view *view, const char *problem);

#endif
