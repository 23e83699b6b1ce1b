#include "hostd/change.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-json.h>

#include "base/must.h"
#include "hostd/change_work.h"

struct change_run {
	struct daemon *daemon;
	struct job *job;
	const struct change_handlers *handlers;
	void *data;
	char *outcome, *reason;
};

static char *get_text(sd_json_variant *object, const char *name) {
	sd_json_variant *value = sd_json_variant_by_key(object, name);
	return value ? must_copy(sd_json_variant_string(value)) : NULL;
}

static void handle_line(void *data, const char *line) {
	struct change_run *run = data;
	sd_json_variant *object = NULL;
	if (sd_json_parse(line, 0, &object, NULL, NULL) < 0) {
		return;
	}
	char *progress = get_text(object, "progress");
	if (progress) {
		run->handlers->progress(run->data, progress);
	} else if (sd_json_variant_by_key(object, "plan") ||
		   sd_json_variant_by_key(object, "findings")) {
		run->handlers->plan(run->data, object);
	} else {
		run->outcome = get_text(object, "outcome");
		run->reason = get_text(object, "reason");
	}
	free(progress);
	sd_json_variant_unref(object);
}

static void run_free(struct change_run *run) {
	run->daemon->change = NULL;
	free(run->outcome);
	free(run->reason);
	free(run);
}

static void finish(struct change_run *run, const char *error, const char *reason) {
	const struct change_handlers *handlers = run->handlers;
	void *data = run->data;
	char *kept_error = must_copy(error), *kept_reason = must_copy(reason);
	run_free(run);
	handlers->ended(data, kept_error, kept_reason);
	free(kept_error);
	free(kept_reason);
}

static void handle_end(void *data, enum job_ending ending, int status) {
	struct change_run *run = data;
	if (!run->outcome) {
		finish(run, "Unfinished",
			"who was to do it was ended; what was begun is undone by itself, or by "
			"\"portal-host recover\"");
	} else if (strcmp(run->outcome, "done") == 0) {
		finish(run, NULL, NULL);
	} else {
		finish(run, run->outcome, run->reason);
	}
}

void change_begin(struct daemon *daemon, const struct change_order *order,
	const struct change_handlers *handlers, void *data) {
	static const struct job_handlers job_handlers = {handle_line, handle_end};
	struct change_work work = {
		.options = daemon->options, .policy = &daemon->policy, .order = order};
	struct change_run *run = must_alloc(1, sizeof(*run));
	struct error error;
	*run = (struct change_run){.daemon = daemon, .handlers = handlers, .data = data};
	daemon->change = run;
	/* Each step of a transaction has a deadline, so it has none. */
	run->job = job_start(daemon->loop, change_work, &work, 0, &job_handlers, run, &error);
	if (!run->job) {
		finish(run, "Refused", error.text);
	}
}

void change_cancel(struct daemon *daemon) {
	if (daemon->change) {
		job_cancel(daemon->change->job);
		run_free(daemon->change);
	}
}
