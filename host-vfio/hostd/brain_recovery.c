#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/must.h"
#include "hostd/brain-impl.h"
#include "hostd/job.h"
#include "hostd/survey.h"
#include "transaction/journal.h"

/* What a process that waits for a change's lock ends with. */
enum waited {
	WAITED_NOT, /* nobody had it */
	WAITED,
	WAITED_IN_VAIN,
};

static int wait_for_lock(void *data, int out) {
	int waited = journal_wait_for_lock(data);
	return waited < 0 ? WAITED_IN_VAIN : waited ? WAITED : WAITED_NOT;
}

/* Who tried to settle it found nobody in the way: he could do no more another time. */
static void handle_lock_free(void *data, enum job_ending ending, int status) {
	struct brain *brain = data;
	brain->hanging = NULL;
	bool more = status == WAITED || (status == WAITED_NOT && !brain->was_recovery);
	if (ending == JOB_DONE && more) {
		brain->to_settle = true;
		survey_request(brain->daemon);
	}
}

void brain_note_outcome(struct brain *brain, bool recovery, const char *error) {
	static const struct job_handlers handlers = {NULL, handle_lock_free};
	struct daemon *daemon = brain->daemon;
	struct error problem;
	if (!error || strcmp(error, "Unfinished") != 0) {
		return;
	}
	brain->unsettled = true;
	if (brain->hanging) {
		return;
	}
	char *journals = must_print("%s/transactions", daemon->options->state);
	brain->was_recovery = recovery;
	brain->hanging =
		job_start(daemon->loop, wait_for_lock, journals, 0, &handlers, brain, &problem);
	if (!brain->hanging) {
		say(LOG_ERR, "an unfinished change is not settled by itself: %s", problem.text);
	}
	free(journals);
}

static void handle_recovered(void *data, const char *error, const char *reason) {
	struct brain *brain = data;
	core_others_change_ended(&brain->core);
	core_machine_changed(&brain->core);
	if (error) {
		say(LOG_ERR, "an earlier change cannot be settled: %s", reason);
	} else if (brain->unsettled) {
		say(LOG_NOTICE, "what was unfinished is settled");
	}
	brain->unsettled = false;
	brain_note_outcome(brain, true, error);
	survey_request(brain->daemon);
}

void brain_begin_recovery(struct brain *brain) {
	static const struct change_handlers handlers = {
		.progress = brain_handle_progress, .ended = handle_recovered};
	static const struct strings none;
	const struct change_order order = {
		.kind = CHANGE_RECOVER, .names = &none, .unguarded = &none};
	if (!brain->to_settle || brain->daemon->change || brain->core.attaching.count > 0) {
		return;
	}
	brain->to_settle = false;
	core_others_change(&brain->core, NULL);
	change_begin(brain->daemon, &order, &handlers, brain);
}

void brain_recovery_finish(struct brain *brain) {
	job_cancel(brain->hanging);
}
