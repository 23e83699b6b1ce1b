#ifndef HOST_TRANSACTION_STEP_H
#define HOST_TRANSACTION_STEP_H

#include "transaction/plan.h"
#include "transaction/worker.h"
#include "tree/tree.h"

/* What a change needs of the system beside the tree. Everything may block, and runs in a worker.
 * What returns a number: 0 or an errno. */
struct step_calls {
	int (*load_driver)(const char *driver, void *user);
	/* Units of systemd, "UNIT" or "UID/UNIT". ENOENT: there is no such unit, or no systemd. */
	int (*unit_state)(const char *unit, bool *active, void *user);
	int (*unit_set)(const char *unit, bool active, void *user);
	/* Returns when the process is gone, also when it was gone already or the id is another
	 * one's by now. `force_ms`: how long to ask before ending it by force; 0: only ask. */
	int (*end_process)(int pid, const char *name, unsigned force_ms, void *user);
	/* Blocks until somebody closes the device node, or a second has passed. */
	void (*wait_for_close)(const char *path, void *user);
	/* Can VFIO open the device? Reads its ids through it. ENODEV: it answers, but not with
	 * these. */
	int (*vfio_open)(
		const char *address, int group, uint16_t vendor, uint16_t device, void *user);
	/* Resets the bus that the device is on, if nothing else is on it than the devices of these
	 * addresses, and VFIO has all of them; EBUSY with the reason otherwise. */
	int (*vfio_reset_bus)(const char *address, int group, const struct strings *ours,
		struct error *reason, void *user);
	/* EPERM with the reason when somebody does not want the machine to be suspended. */
	int (*may_suspend)(struct error *reason, void *user);
	/* What ends the time of a worker, worker_deadline(). NULL: that. */
	int (*deadline)(unsigned deadline_ms, void *user);
};

/* What carries a change out. */
struct step_host {
	struct tree *tree; /* read, and written into */
	const struct step_calls *calls; /* NULL: those of this system */
	void *user;
};

const struct step_calls *step_host_calls(const struct step_host *host);
/* Runs work on this host in a process of its own, as worker_run() does. */
struct worker_result step_host_work(
	const struct step_host *host, int (*work)(void *data), void *data, unsigned deadline_ms);

/* Does one step of a plan and looks whether it really happened: the kernel says yes to some things
 * that it does not do. May block for as long as the kernel likes. 0 or an errno, with a sentence in
 * `reason` where the errno alone says too little; EPROTO: the kernel said yes and it did not
 * happen. */
int step_perform(const struct step_host *host, const struct plan *plan, const struct step *step,
	struct error *reason);
/* The state that a device is in; the caller's. -1 with errno. May block like a step. */
int step_read_state(struct tree *tree, const char *address, struct driver_state *state);
/* Is the card at the device's address the one that was meant? */
bool step_same_card(struct tree *tree, const struct plan_device *device);
/* Writes "DOMAIN:BUS" of an address to the kernel, to look for devices there. 0 or an errno. */
int step_rescan(struct tree *tree, const char *address);

/* What an errno of a step means. */
const char *step_reason(int error);

#endif
