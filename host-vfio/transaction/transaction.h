#ifndef HOST_TRANSACTION_TRANSACTION_H
#define HOST_TRANSACTION_TRANSACTION_H

#include "transaction/journal.h"
#include "transaction/step.h"

/* Carries a plan out, or leaves everything as it was. */

struct transaction_host {
	struct step_host steps;
	const char *journals; /* the directory */
	/* Called after everything that was made lasting, with a sentence; may be NULL. */
	void (*progress)(const char *sentence, void *user);
	/* Asked before a rung that says so; NULL: no such rung is tried. */
	bool (*confirm)(const char *title, void *user);
	void *user;
};

enum transaction_outcome {
	TRANSACTION_COMMITTED,
	TRANSACTION_UNDONE, /* it failed, and all is as it was but for processes that were ended */
	TRANSACTION_UNFINISHED, /* it failed, and not all of it could be undone: recover later */
	TRANSACTION_REFUSED, /* nothing was begun */
};

/* Blocks for as long as the deadlines of the plan and of its undoing add up to; a daemon runs it in
 * a process of its own. `what` is written into the journal. `error` says why for all outcomes but
 * COMMITTED. */
enum transaction_outcome transaction_run(const struct transaction_host *host, const char *what,
	const struct plan *plan, struct error *error);

/* Would a plan be refused because an earlier change has to be recovered first, or a journal cannot
 * be read? With the reason. */
bool transaction_is_blocked(const struct transaction_host *host, struct error *error);

/* Undoes what was begun and not committed, by a crash or because it could not be undone then. What
 * was begun before the machine was booted is closed: no binding outlives a boot. UNDONE when there
 * is nothing left to do, UNFINISHED with the reason otherwise; COMMITTED is not returned. */
enum transaction_outcome transaction_recover(
	const struct transaction_host *host, struct error *error);

/* The state that a device had before it was taken, from the journals of this boot: NULL when it was
 * not taken, or was returned since. Belongs to `records`. */
const struct driver_state *transaction_former(
	const struct journal_records *records, const char *boot, const struct pci_device *device);

/* The kernel's boot id; the caller's. NULL with errno. */
char *transaction_boot(struct tree *tree);

#endif
