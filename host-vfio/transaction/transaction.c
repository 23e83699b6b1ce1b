#include "transaction/transaction.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/must.h"
#include "transaction/setting.h"
#include "transaction/undo.h"

/* How long to wait for whoever is changing devices now. */
enum { LOCK_MS = 5000, CHECK_MS = 10000 };

/* So many transactions can be looked at afterwards, whatever came of them. */
enum { KEPT = 32 };

/* A step, and what a worker has to say of it, in memory that both share. */
struct step_work {
	const struct step_host *host;
	const struct plan *plan;
	const struct step *step;
	struct error *reason;
};

/* How the steps of a plan are going. */
struct run {
	const struct transaction_host *host;
	const struct plan *plan;
	struct journal *journal;
	struct error *reason; /* shared with the workers */
	const char *stuck; /* the address of the device that a worker hangs with, or NULL */
	bool fatal; /* nothing more is to be tried */
	size_t done; /* of the steps that are done in any case, which come first */
};

struct check_work {
	const struct step_host *host;
	const struct plan *plan;
};

void transaction_say(const struct transaction_host *host, const char *format, ...) {
	if (!host->progress) {
		return;
	}
	char *sentence = NULL;
	va_list args;
	va_start(args, format);
	int length = vasprintf(&sentence, format, args);
	va_end(args);
	if (length >= 0) {
		host->progress(sentence, host->user);
		free(sentence);
	}
}

char *transaction_boot(struct tree *tree) {
	return tree_text(tree, "/proc/sys/kernel/random/boot_id");
}

static int perform(void *data) {
	const struct step_work *work = data;
	return step_perform(work->host, work->plan, work->step, work->reason);
}

/* ESTALE when something is no longer in the state that the plan starts from. */
static int check_former(void *data) {
	const struct check_work *work = data;
	for (size_t i = 0; i < work->plan->devices_count; i++) {
		const struct plan_device *device = &work->plan->devices[i];
		struct driver_state state;
		if (step_read_state(work->host->tree, device->address, &state) < 0) {
			return errno == ENOENT ? ESTALE : errno;
		}
		bool same = driver_state_equal(&state, &device->former);
		driver_state_finish(&state);
		if (!same) {
			return ESTALE;
		}
	}
	for (size_t i = 0; i < work->plan->settings_count; i++) {
		const struct plan_setting *setting = &work->plan->settings[i];
		char *now = setting_read(work->host, setting->kind, setting->name);
		if (!now) {
			return errno == ENOENT ? ESTALE : errno;
		}
		bool same = strcmp(now, setting->former) == 0;
		free(now);
		if (!same) {
			return ESTALE;
		}
	}
	return 0;
}

static void explain(struct error *error, const struct step *step, struct worker_result result,
	const struct error *reason) {
	char *sentence = step_sentence(step);
	switch (result.state) {
	case WORKER_STUCK:
		error_set(error,
			"could not %s: the kernel hangs in it, and nothing but what it "
			"waits for, or a reboot, ends that",
			sentence);
		break;
	case WORKER_TIMED_OUT:
		error_set(error, "could not %s within %u s%s%s", sentence, step->deadline_ms / 1000,
			reason->text[0] ? ": " : "", reason->text);
		break;
	default:
		error_set(error, "could not %s: %s", sentence,
			reason->text[0] ? reason->text : step_reason(result.error));
	}
	free(sentence);
}

/* 0, or -1 with the reason. */
static int do_step(struct run *run, size_t index, struct error *error) {
	const struct step *step = &run->plan->steps[index];
	if (journal_step(run->journal, index) < 0) {
		run->fatal = true;
		return error_set(error, "the journal cannot be written: %s", strerror(errno));
	}
	char *sentence = step_sentence(step);
	transaction_say(run->host, "%s", sentence);
	free(sentence);
	run->reason->text[0] = '\0';
	struct step_work work = {&run->host->steps, run->plan, step, run->reason};
	struct worker_result result = step_host_work(work.host, perform, &work, step->deadline_ms);
	if (result.state != WORKER_DONE) {
		if (result.state == WORKER_STUCK) {
			run->fatal = true;
			run->stuck = step->device;
		}
		explain(error, step, result, run->reason);
		return -1;
	}
	transaction_say(run->host, "done");
	run->done += step->rung == 0;
	return 0;
}

/* All steps of a rung, 0 being what is done in any case. */
static int do_rung(struct run *run, unsigned rung, struct error *error) {
	for (size_t i = 0; i < run->plan->steps_count; i++) {
		if (run->plan->steps[i].rung == rung && do_step(run, i, error) < 0) {
			return -1;
		}
	}
	return 0;
}

static bool is_confirmed(const struct transaction_host *host, const struct plan_rung *rung) {
	return !rung->confirm || (host->confirm && host->confirm(rung->title, host->user));
}

/* The steps that are always done, then one rung after the other until one succeeds. 0, or -1 with
 * the reason of the last failure. */
static int go_forward(struct run *run, struct error *error) {
	int status = do_rung(run, 0, error);
	size_t count = run->plan->rungs_count;
	if (status < 0 || count == 0) {
		return status;
	}
	for (size_t i = 0; i < count; i++) {
		const struct plan_rung *rung = &run->plan->rungs[i];
		if (!is_confirmed(run->host, rung)) {
			transaction_say(run->host, "not tried: to %s", rung->title);
			continue;
		}
		status = do_rung(run, (unsigned)i + 1, error);
		if (status == 0 || run->fatal) {
			return status;
		}
		transaction_say(run->host, "%s", error->text);
	}
	return -1;
}

/* `reason` is what workers write into. */
static enum transaction_outcome run_plan(const struct transaction_host *host,
	struct journal *journal, const struct plan *plan, struct error *reason,
	struct error *error) {
	struct run run = {.host = host, .plan = plan, .journal = journal, .reason = reason};
	int status = go_forward(&run, error);
	if (status == 0 && journal_end(journal, JOURNAL_COMMITTED) < 0) {
		status = error_set(error, "the journal cannot be written: %s", strerror(errno));
	}
	if (status == 0) {
		return TRANSACTION_COMMITTED;
	}
	transaction_say(host, "%s", error->text);
	return undo_plan(host, journal, plan, run.done, run.stuck, error);
}

static enum transaction_outcome run_locked(const struct transaction_host *host, const char *what,
	const struct plan *plan, struct error *error) {
	struct check_work check = {&host->steps, plan};
	struct worker_result result = step_host_work(check.host, check_former, &check, CHECK_MS);
	if (result.state != WORKER_DONE) {
		error_set(error, "the devices cannot be looked at: %s",
			result.error == ESTALE ? "they changed since the plan was made"
					       : strerror(result.error));
		return TRANSACTION_REFUSED;
	}
	struct error *reason = mmap(
		NULL, sizeof(*reason), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must_have(reason == MAP_FAILED ? NULL : reason);
	char *boot = transaction_boot(host->steps.tree);
	struct journal *journal =
		journal_begin(host->journals, what, boot ? boot : "", plan, error);
	free(boot);
	enum transaction_outcome outcome = TRANSACTION_REFUSED;
	if (journal) {
		transaction_say(host, "the plan is written down");
		outcome = run_plan(host, journal, plan, reason, error);
		journal_destroy(journal);
	}
	munmap(reason, sizeof(*reason));
	return outcome;
}

/* Removes old files that nothing hangs on any more: neither open nor the memory of a former driver.
 */
static void prune(const struct journal_records *records, const char *boot) {
	for (size_t i = 0; i + KEPT < records->count; i++) {
		const struct journal_record *record = &records->items[i];
		if (record->outcome == JOURNAL_UNDONE ||
			(record->outcome == JOURNAL_COMMITTED && strcmp(record->boot, boot) != 0)) {
			unlink(record->path);
		}
	}
}

/* What an earlier run left open has to be settled first: its former states are the ones that count.
 */
static bool something_is_open(const struct journal_records *records, const struct strings *problems,
	struct error *error) {
	if (problems->count > 0) {
		error_set(error, "%s", problems->items[0]);
		return true;
	}
	for (size_t i = 0; i < records->count; i++) {
		if (records->items[i].outcome == JOURNAL_OPEN) {
			error_set(error,
				"an earlier change is unfinished (%s): recover first, by "
				"\"portal-host recover\"",
				records->items[i].path);
			return true;
		}
	}
	return false;
}

bool transaction_is_blocked(const struct transaction_host *host, struct error *error) {
	struct journal_records records;
	struct strings problems = {0};
	journal_read_all(&records, host->journals, &problems);
	bool open = something_is_open(&records, &problems, error);
	strings_finish(&problems);
	journal_records_finish(&records);
	return open;
}

/* The same, by whoever has the lock. */
static bool is_blocked_locked(const struct transaction_host *host, struct error *error) {
	struct journal_records records;
	struct strings problems = {0};
	journal_read_all(&records, host->journals, &problems);
	bool open = something_is_open(&records, &problems, error);
	char *boot = transaction_boot(host->steps.tree);
	if (!open && boot) {
		prune(&records, boot);
	}
	free(boot);
	strings_finish(&problems);
	journal_records_finish(&records);
	return open;
}

enum transaction_outcome transaction_run(const struct transaction_host *host, const char *what,
	const struct plan *plan, struct error *error) {
	struct error ignored;
	error = error ? error : &ignored;
	int lock = journal_lock(host->journals, LOCK_MS, error);
	if (lock < 0) {
		return TRANSACTION_REFUSED;
	}
	enum transaction_outcome outcome = TRANSACTION_REFUSED;
	if (!is_blocked_locked(host, error)) {
		outcome = run_locked(host, what, plan, error);
	}
	close(lock);
	return outcome;
}

static enum transaction_outcome recover_one(const struct transaction_host *host,
	const struct journal_record *record, const char *boot, struct error *error) {
	struct journal *journal = journal_resume(record, error);
	if (!journal) {
		return TRANSACTION_UNFINISHED;
	}
	enum transaction_outcome outcome = TRANSACTION_UNDONE;
	if (strcmp(record->boot, boot) != 0) {
		transaction_say(
			host, "%s: the machine was booted since, which undid it", record->path);
		if (journal_end(journal, JOURNAL_UNDONE) < 0) {
			error_set(error, "%s: %s", record->path, strerror(errno));
			outcome = TRANSACTION_UNFINISHED;
		}
	} else {
		error_set(error, "%s was interrupted", record->path);
		/* Its steps, and with them who was ended, are not known any more. */
		outcome = undo_plan(host, journal, &record->plan, 0, NULL, error);
		if (outcome == TRANSACTION_UNDONE) {
			transaction_say(host, "%s is undone: drivers and settings are as they were",
				record->path);
		}
	}
	journal_destroy(journal);
	return outcome;
}

static enum transaction_outcome recover_locked(
	const struct transaction_host *host, struct error *error) {
	struct journal_records records;
	struct strings problems = {0};
	enum transaction_outcome outcome = TRANSACTION_UNDONE;
	char *boot = transaction_boot(host->steps.tree);
	journal_read_all(&records, host->journals, &problems);
	/* Newest first, as they would have been undone. */
	for (size_t i = records.count; i > 0; i--) {
		const struct journal_record *record = &records.items[i - 1];
		if (record->outcome == JOURNAL_OPEN &&
			recover_one(host, record, boot ? boot : "", error) != TRANSACTION_UNDONE) {
			outcome = TRANSACTION_UNFINISHED;
		}
	}
	if (problems.count > 0) {
		error_set(error, "%s", problems.items[0]);
		outcome = TRANSACTION_UNFINISHED;
	}
	free(boot);
	strings_finish(&problems);
	journal_records_finish(&records);
	return outcome;
}

enum transaction_outcome transaction_recover(
	const struct transaction_host *host, struct error *error) {
	struct error ignored;
	error = error ? error : &ignored;
	int lock = journal_lock(host->journals, LOCK_MS, error);
	if (lock < 0) {
		return TRANSACTION_UNFINISHED;
	}
	enum transaction_outcome outcome = recover_locked(host, error);
	close(lock);
	return outcome;
}

const struct driver_state *transaction_former(
	const struct journal_records *records, const char *boot, const struct pci_device *device) {
	for (size_t i = records->count; i > 0; i--) {
		const struct journal_record *record = &records->items[i - 1];
		if (record->outcome != JOURNAL_COMMITTED || strcmp(record->boot, boot) != 0) {
			continue;
		}
		for (size_t k = 0; k < record->plan.devices_count; k++) {
			const struct plan_device *entry = &record->plan.devices[k];
			if (strcmp(entry->address, device->name) == 0 &&
				identity_same_card(&entry->identity, device)) {
				if (strcmp(record->what, "take") != 0) {
					return NULL;
				}
				/* One that VFIO had already was taken by an earlier change. */
				if (!driver_state_equal(&entry->former, &entry->wanted)) {
					return &entry->former;
				}
			}
		}
	}
	return NULL;
}
