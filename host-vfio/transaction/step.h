#ifndef HOST_TRANSACTION_STEP_H
#define HOST_TRANSACTION_STEP_H

#include "transaction/plan.h"
#include "tree/tree.h"

/* What carries a change out: the tree to write into, and how modules are loaded. */
struct step_host {
	struct tree *tree;
	/* 0 or an errno. */
	int (*load_driver)(const char *driver, void *user);
	void *user;
};

/* Does one step and looks whether it really happened: the kernel says yes to some things that it
 * does not do. May block for as long as the kernel likes. 0 or an errno; EPROTO: the kernel said
 * yes and it did not happen. */
int step_perform(const struct step_host *host, const struct step *step);
/* The state that a device is in; the caller's. -1 with errno. May block like a step. */
int step_read_state(struct tree *tree, const char *address, struct driver_state *state);
/* Loads a module with modprobe(8). */
int step_modprobe(const char *driver, void *user);

#endif
