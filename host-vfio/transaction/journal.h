#ifndef HOST_TRANSACTION_JOURNAL_H
#define HOST_TRANSACTION_JOURNAL_H

#include <stdint.h>

#include "transaction/plan.h"

/* What is being changed, on disk before it happens: one file for each transaction in a directory,
 * portal-host-journal(5). Each line has a checksum; a last line that was cut off by a power loss
 * does not count, anything else that is wrong makes the file corrupt. */

enum journal_outcome {
	JOURNAL_OPEN, /* begun, and neither completed nor undone */
	JOURNAL_COMMITTED,
	JOURNAL_UNDONE,
};

/* One file, read. */
struct journal_record {
	char *path;
	uint64_t number; /* they are counted up */
	char *what; /* "take" or "return" */
	char *boot; /* the kernel's boot id: no binding outlives it */
	struct plan plan; /* devices and settings; its steps are not read back */
	size_t steps_begun;
	size_t size; /* of the part that is whole */
	enum journal_outcome outcome;
};

struct journal_records {
	struct journal_record *items; /* oldest first */
	size_t count;
};

/* Reads all files of a directory; an absent one is empty. Corrupt ones are left out, and each adds
 * a sentence to `problems`. */
void journal_read_all(
	struct journal_records *records, const char *directory, struct strings *problems);
int journal_read(struct journal_record *record, const char *path, struct error *error);
void journal_record_finish(struct journal_record *record);
void journal_records_finish(struct journal_records *records);

struct journal;

/* Writes the plan down, lasting before this returns. NULL with the reason. */
struct journal *journal_begin(const char *directory, const char *what, const char *boot,
	const struct plan *plan, struct error *error);
/* Goes on with a file that was read: what a power loss cut off is removed. */
struct journal *journal_resume(const struct journal_record *record, struct error *error);
/* Lasting before they return; -1 with errno. */
int journal_step(struct journal *journal, size_t index);
int journal_end(struct journal *journal, enum journal_outcome outcome);
void journal_destroy(struct journal *journal);

/* One change at a time: takes the directory's lock, making the directory. It is held as long as any
 * process that has the descriptor lives, so a worker left in the kernel holds it too. The
 * descriptor, or -1 with the reason when it cannot be had within `deadline_ms`. */
int journal_lock(const char *directory, unsigned deadline_ms, struct error *error);
/* Blocks until nobody has the lock, which is not kept. 1: somebody had it; 0; or -1 with errno. */
int journal_wait_for_lock(const char *directory);

#endif
