#ifndef HOST_TRANSACTION_UNDO_H
#define HOST_TRANSACTION_UNDO_H

#include "transaction/transaction.h"

/* Brings every device of a plan back to its former state, last one first, whatever state it is in
 * now, and closes the journal. `steps_done`: so many of its first steps are known to have been
 * done. `stuck`: a device to leave alone, because a worker hangs in the kernel with it; or NULL.
 * `error` holds why it is undone, and gains what could not be, or that everything is as it was and
 * which processes are not back. UNDONE or UNFINISHED. */
enum transaction_outcome undo_plan(const struct transaction_host *host, struct journal *journal,
	const struct plan *plan, size_t steps_done, const char *stuck, struct error *error);

/* Says a sentence to whoever follows the transaction. */
void transaction_say(const struct transaction_host *host, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
