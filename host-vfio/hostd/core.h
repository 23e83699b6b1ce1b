#ifndef HOST_HOSTD_CORE_H
#define HOST_HOSTD_CORE_H

#include <stdbool.h>

#include "base/strings.h"
#include "identity/known.h"
#include "policy/decide.h"

/*
 * What portal-hostd decides, without doing any of it. Events change what is known; after each, the
 * daemon asks core_next() until there is nothing to do. Decisions follow from what is known now,
 * not from how it came about, so that whatever happens in whatever order ends where the policy
 * says.
 *
 * Three rules hold at every moment: a device is moved only while no process has it open; a VM is
 * started only when everything it is to have is ready and open nowhere; and there is one change of
 * devices at a time. A change can take as long as the kernel likes: a VM that has nothing to do
 * with it does not wait for it.
 *
 * What a VM is to have when it starts, its definition gives to it. What comes to be its own while
 * it runs, because it was plugged in, or because another VM has left it, is attached.
 */

enum core_vm_state {
	CORE_OFF,
	CORE_STARTING, /* its devices are being made ready, or libvirt is starting it */
	CORE_RUNNING,
	CORE_STOPPING, /* and still has what it has */
};

struct core_vm {
	char *name;
	enum core_vm_state state;
	unsigned order; /* when it left CORE_OFF; the one that started first has the device */
	bool claimed; /* libvirt's hook waits for an answer */
	bool allowed; /* it got one, and libvirt is starting it */
	bool cut_off; /* libvirt was starting it, and went away */
	bool asked; /* to shut down, for a switch */
	bool found; /* it runs, and nobody has seen it start: what it has is to be found out */
	struct strings given; /* addresses: when it started, or since */
	/* Of those, what it is taken to have because somebody had it open when it was found. */
	struct strings presumed;
};

enum core_phase {
	CORE_STAY, /* no switch is under way */
	CORE_LEAVE, /* controllers are shutting down */
	CORE_ENTER, /* the devices of the new one are being made ready */
	CORE_LAUNCH, /* libvirt was told to start it */
};

struct core {
	struct core_vm *vms; /* controllers and the router, as the policy has them */
	size_t vms_count;
	unsigned last_order;
	bool states_known; /* libvirt has said which VMs run */
	bool changing; /* a transaction is under way */
	bool moving_any; /* and it is not known what it concerns */
	struct strings moving; /* or it concerns these addresses, and their IOMMU groups */
	struct strings
		failed; /* addresses whose last change failed: not tried until something changes */
	struct strings apart; /* addresses whose return failed with that of other IOMMU groups */
	struct strings attaching; /* the address that libvirt was told to attach, or none */
	/* A switch. */
	enum core_phase phase;
	char *target; /* the controller to switch to; NULL: to none */
	struct strings left; /* controllers that were stopped for it, to go back to */
	bool force; /* end those that do not shut down */
	bool going_back; /* `target` is one of those that were left */
	bool killing;
	char *problem; /* why it goes back, or not everything has returned */
	char *setback; /* what has just failed; core_next() draws the conclusion */
	struct core_answer *answers; /* to be given */
	size_t answers_count;
};

/* What the machine is like when core_next() is asked. */
struct core_view {
	const struct policy *policy;
	const struct known *known;
	const struct machine *machine;
	/* One for each of the machine's devices: was it given to VFIO by policy, so that it is to
	 * be returned by policy? What a person took is that person's to return. */
	const bool *ours;
	/* One for each: the VM that a former daemon had given it to, or NULL. */
	const char *const *given;
	/* udev is at work: a device without a driver may be about to get one, which is the one that
	 * it has to return to. */
	bool settling;
};

enum core_action_kind {
	CORE_TAKE, /* `names` for `vm`; then core_change_ended() */
	CORE_RETURN, /* `names`; the same. What fails keeps nothing else from returning */
	CORE_ATTACH, /* the one of `names` to `vm`; then core_attach_ended() */
	CORE_START, /* `vm`; then core_start_ended() */
	CORE_SHUTDOWN, /* `vm`; then core_shutdown_ended() */
	CORE_KILL, /* the same */
	CORE_ALLOW, /* answer the hook of `vm`: go on */
	CORE_REFUSE, /* answer it: no, with `reason` */
	CORE_SWITCHED, /* answer the switch; `reason` NULL: it is done */
};

struct core_action {
	enum core_action_kind kind;
	char *vm;
	struct strings names; /* addresses */
	bool several; /* to return, of more than one IOMMU group: each is tried when that fails */
	char *reason;
};

void core_finish(struct core *core);
/* The policy was read, for the first time or again: its VMs are the ones there are. */
void core_set_policy(struct core *core, const struct policy *policy);

/* Events. VMs that the policy does not have are ignored. */

/* libvirt says so; or that nothing is known any more. A start that it went away in is over when it
 * says CORE_OFF afterwards. */
void core_vm_is(struct core *core, const char *vm, enum core_vm_state state);
void core_states_known(struct core *core, bool known);
/* libvirt is about to start it and waits: answered by CORE_ALLOW or CORE_REFUSE, once. */
void core_claim(struct core *core, const char *vm);
/* Who waited for the answer is gone. */
void core_unclaim(struct core *core, const char *vm);
/* libvirt has ended it and everything that belonged to it, or has not been able to start it. */
void core_released(struct core *core, const char *vm);
/* Devices came or went, or were let go: what failed may be tried again. */
void core_machine_changed(struct core *core);
/* `problem` NULL: it was done. Of an order to libvirt, it was at least taken. */
void core_change_ended(struct core *core, const struct core_action *change, const char *problem);
void core_attach_ended(struct core *core, const char *vm, const char *device, const char *problem);
/* A change that is not the core's own is under way: a person's, of these devices, or with NULL of
 * whichever; and it has ended. */
void core_others_change(struct core *core, const struct strings *names);
void core_others_change_ended(struct core *core);
void core_start_ended(struct core *core, const char *vm, const char *problem);
void core_shutdown_ended(struct core *core, const char *vm, const char *problem);
/* Answered by CORE_SWITCHED, once; while one is under way others are not to be asked for. `target`
 * NULL: to none. */
void core_switch(struct core *core, const char *target, bool force);
/* What is waited for (core_is_waiting()) took too long. */
void core_timeout(struct core *core, const struct core_view *view);

/* The next thing to do; false: nothing. The caller finishes the action. */
bool core_next(struct core *core, const struct core_view *view, struct core_action *action);
void core_action_finish(struct core_action *action);

/* Is something awaited that may never come: a VM's end or start, a device that is let go? */
bool core_is_waiting(const struct core *core);
/* Those that are not CORE_OFF, the one that started first in front; the caller finishes it. */
struct strings core_running(const struct core *core);
struct core_vm *core_find(const struct core *core, const char *name);
/* The controllers that would have to end for this one to start; the caller finishes it. */
struct strings core_rivals(const struct core *core, const struct core_view *view, const char *vm);
/* What a switch to `vm` (NULL: to none) would do: the controllers that end, and addresses of what
 * returns to the host and of what is taken for it. */
struct core_foresight {
	struct strings leaving, returning, taking;
};
void core_foresee(struct core_foresight *foresight, const struct core *core,
	const struct core_view *view, const char *vm);
void core_foresight_finish(struct core_foresight *foresight);
/* Where everything belongs after it; the caller finishes it. */
void core_decide_then(struct decisions *decisions, const struct core *core,
	const struct core_view *view, const struct strings *leaving, const char *vm);
/* The VM that was given the device at this address, or NULL. */
const char *core_owner(const struct core *core, const char *device);
/* The same, where it is no presumption: what another daemon can be told. */
const char *core_known_owner(const struct core *core, const char *device);
/* Is that known of all VMs, so that it can be noted for a daemon that comes again? */
bool core_knows_owners(const struct core *core);

#endif
