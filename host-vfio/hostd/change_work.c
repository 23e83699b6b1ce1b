#include "hostd/change_work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/must.h"
#include "inventory/json.h"
#include "record/record.h"
#include "release/release.h"
#include "transaction/preflight.h"
#include "transaction/transaction.h"
#include "tree/machine_file.h"
#include "tree/recorder.h"
#include "window/config_window.h"

/* How long the kernel may take to show the machine. */
enum { LOOK_MS = 20000 };

/* What a change is made of. */
struct change {
	const struct change_work *work;
	int out;
	struct step_host host;
	char *journals;
	struct known known;
	struct machine machine;
	struct strings names; /* addresses */
	struct plan plan;
	struct findings findings;
};

/* `object` is taken over. */
static void tell_object(int out, sd_json_variant *object) {
	char *line = NULL;
	if (sd_json_variant_format(object, SD_JSON_FORMAT_NEWLINE, &line) < 0 ||
		write(out, line, strlen(line)) < 0) {
		_exit(EXIT_FAILURE); /* nobody listens: the daemon is gone */
	}
	free(line);
	sd_json_variant_unref(object);
}

static void tell(int out, const char *field, const char *value, const char *reason) {
	sd_json_variant *object = NULL;
	json_set_string(&object, field, value);
	if (reason) {
		json_set_string(&object, "reason", reason);
	}
	tell_object(out, object);
}

static void handle_progress(const char *sentence, void *user) {
	const struct change *change = user;
	tell(change->out, "progress", sentence, NULL);
}

static struct transaction_host transaction_host(struct change *change) {
	return (struct transaction_host){
		.steps = change->host,
		.journals = change->journals,
		.progress = handle_progress,
		.user = change,
	};
}

/* The plan, or with NULL what an earlier one left unfinished. */
static enum transaction_outcome run(struct change *change, const char *what, struct error *error) {
	const struct transaction_host host = transaction_host(change);
	return what ? transaction_run(&host, what, &change->plan, error)
		    : transaction_recover(&host, error);
}

/* Whoever was to close a VM's configuration space again may have been ended before. */
static int close_windows(const struct change *change, struct error *error) {
	const struct daemon_options *options = change->work->options;
	char *directory = must_print("%s/config-space", options->state);
	char *boot = transaction_boot(change->host.tree);
	const struct config_window_host host = {
		.root = options->root, .directory = directory, .boot = boot ? boot : ""};
	int status = config_window_recover(&host, error);
	free(boot);
	free(directory);
	return status;
}

/* What was begun and not ended, of both kinds. */
static enum transaction_outcome recover(struct change *change, struct error *error) {
	struct error window;
	enum transaction_outcome outcome = run(change, NULL, error);
	/* That nothing is left to undo is what was asked for. */
	outcome = outcome == TRANSACTION_UNDONE ? TRANSACTION_COMMITTED : outcome;
	if (close_windows(change, &window) < 0 && outcome == TRANSACTION_COMMITTED) {
		error_set(error, "%s", window.text);
		outcome = TRANSACTION_UNFINISHED;
	}
	return outcome;
}

static int resolve(struct change *change, const struct strings *names, struct strings *addresses,
	struct error *error) {
	for (size_t i = 0; i < names->count; i++) {
		const struct pci_device *device =
			known_resolve(&change->known, &change->machine, names->items[i], error);
		if (!device) {
			return -1;
		}
		strings_add(addresses, device->name);
	}
	return 0;
}

/* In a worker: what the readers look at, as a recording. */
struct sight {
	struct tree *tree;
	int file;
};

static int write_sight(void *data) {
	const struct sight *sight = data;
	struct machine machine;
	struct memory_tree *recording = memory_tree_create();
	machine_read(&machine, recorder_tree_create(sight->tree, recording, NULL), NULL);
	FILE *file = fdopen(sight->file, "w");
	return file && machine_file_write(recording, file) == 0 && fclose(file) == 0 ? 0 : EIO;
}

static int read_sight(struct change *change, int fd, struct error *error) {
	FILE *file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return error_set(error, "%s", strerror(errno));
	}
	rewind(file);
	return record_read_machine(&change->machine, file, error);
}

/* Even looking can hang in the kernel, with a device that somebody else is moving. */
static int see(struct change *change, struct error *error) {
	struct sight sight = {change->host.tree, memfd_create("machine", MFD_CLOEXEC)};
	if (sight.file < 0) {
		return error_set(error, "%s", strerror(errno));
	}
	struct worker_result result = step_host_work(&change->host, write_sight, &sight, LOOK_MS);
	if (result.state != WORKER_DONE) {
		close(sight.file);
		return error_set(error, "the devices cannot be looked at: %s",
			result.state == WORKER_FAILED ? strerror(result.error)
						      : "the kernel hangs");
	}
	return read_sight(change, sight.file, error);
}

static int look(struct change *change, struct error *error) {
	char *path = must_print("%s/devices.scfg", change->work->options->state);
	int status = known_load(&change->known, path, error);
	free(path);
	if (status == 0) {
		status = see(change, error);
	}
	return status == 0 ? resolve(change, change->work->order->names, &change->names, error)
			   : -1;
}

/* What would have got those out of the way that were found from the finding `first` on, where the
 * policy keeps a VM from starting. */
static void advise(struct change *change, size_t first, const char *line) {
	bool held = false, said = false;
	char *advice =
		must_print("\"%s\" in the policy's release block has such processes stopped", line);
	for (size_t i = 0; i < change->findings.count; i++) {
		const struct finding *finding = &change->findings.items[i];
		held |= i >= first && finding->blocks && finding->pid != 0 && !finding->vm;
		said |= strcmp(finding->text, advice) == 0;
	}
	if (held && !said && change->work->order->kind == CHANGE_RELEASE) {
		findings_add(&change->findings, true, "%s", advice);
	}
	free(advice);
}

/* As the policy has it, and whoever asked. There is nobody here to ask back. */
static void plan_release(struct change *change, const char *card, const struct strings *unguarded) {
	const struct change_order *order = change->work->order;
	struct strings names = {0};
	struct release_options options;
	strings_add(&names, card);
	release_options_init(
		&options, change->work->policy, &change->known, &change->machine, card);
	options.stop_holders |= order->stop_holders;
	if (order->suspend) {
		options.suspend = RELEASE_SUSPEND_ALLOWED;
	} else if (options.suspend == RELEASE_SUSPEND_ASK) {
		options.suspend = RELEASE_SUSPEND_NEVER;
	}
	size_t found = change->findings.count;
	release_plan(&change->plan, &change->findings, &change->machine, &change->host, &names,
		unguarded, &options);
	if (!options.stop_holders) {
		advise(change, found, "stop-holders");
	}
	strings_finish(&names);
}

static int find_unguarded(struct change *change, struct strings *unguarded, struct error *error) {
	const struct strings *policy = &change->work->policy->unguarded;
	if (resolve(change, change->work->order->unguarded, unguarded, error) < 0) {
		return -1;
	}
	/* One that cannot be found cannot be taken either. */
	for (size_t i = 0; i < policy->count; i++) {
		const struct pci_device *device = known_resolve_lasting(
			&change->known, &change->machine, policy->items[i], NULL);
		if (device) {
			strings_add(unguarded, device->name);
		}
	}
	return 0;
}

static void plan_to_return(struct change *change, const struct strings *names) {
	struct journal_records records;
	struct strings problems = {0};
	char *boot = transaction_boot(change->host.tree);
	const char *now = boot ? boot : "";
	journal_read_all(&records, change->journals, &problems);
	release_plan_return(&change->plan, &change->machine, &change->host, names, &records, now);
	for (size_t i = 0; i < names->count; i++) {
		const struct pci_device *device = machine_find(&change->machine, names->items[i]);
		if (!transaction_former(&records, now, device)) {
			findings_add(&change->findings, true,
				"%s was not taken since the machine was booted, so there is no "
				"former driver to return it to",
				device->name);
		}
	}
	free(boot);
	strings_finish(&problems);
	journal_records_finish(&records);
}

/* Plans are made from what is there now. */
static int look_again(struct change *change, struct error *error) {
	plan_finish(&change->plan);
	findings_finish(&change->findings);
	machine_finish(&change->machine);
	if (see(change, error) < 0) {
		return -1;
	}
	for (size_t i = 0; i < change->names.count; i++) {
		if (!machine_find(&change->machine, change->names.items[i])) {
			return error_set(error, "%s is gone", change->names.items[i]);
		}
	}
	return 0;
}

/* Carries the plan out, unless something stands in its way. */
static enum transaction_outcome go(struct change *change, const char *what, struct error *error) {
	if (findings_refuse(&change->findings, error) < 0) {
		return TRANSACTION_REFUSED;
	}
	return change->plan.steps_count == 0 ? TRANSACTION_COMMITTED : run(change, what, error);
}

/* What the policy gives to a VM: a person takes nothing from those who use it without saying so. */
static struct release_options stopping(const struct change *change) {
	const struct policy_release *release = &change->work->policy->release;
	return (struct release_options){
		.stop_holders = change->work->order->kind == CHANGE_RELEASE && release->stop_all,
		.kill = release->kill,
	};
}

/* Whoever has it open is stopped for this device, and comes back with it. */
static void plan_held(struct change *change, const char *device, const struct strings *unguarded) {
	const struct release_options options = stopping(change);
	struct strings names = {0};
	strings_add(&names, device);
	release_plan_take(
		&change->plan, &change->findings, &change->machine, &names, unguarded, &options);
	strings_finish(&names);
}

/* Plans what comes next: graphics cards first and one by one, each by the ladder that sees to it
 * that VFIO can open it, and so what a process is stopped for; then the others together. False when
 * that was all; `next` is from 0. */
static bool plan_next(struct change *change, const struct strings *unguarded, size_t *next) {
	const struct strings *names = &change->names;
	bool cards = change->work->order->kind != CHANGE_TAKE;
	while (*next < names->count) {
		const struct pci_device *device =
			machine_find(&change->machine, names->items[(*next)++]);
		if (cards && device->category == CATEGORY_GPU) {
			plan_release(change, device->name, unguarded);
			return true;
		}
		if (stopping(change).stop_holders &&
			release_has_holders(&change->machine, device)) {
			plan_held(change, device->name, unguarded);
			return true;
		}
	}
	if (*next > names->count) {
		return false;
	}
	(*next)++;
	plan_take(&change->plan, &change->machine, names);
	size_t found = change->findings.count;
	preflight_take(&change->findings, &change->plan, &change->machine, names, unguarded, 0);
	if (!stopping(change).stop_holders) {
		advise(change, found, "stop-holders all");
	}
	return true;
}

static void tell_plan(const struct change *change, const char *what) {
	sd_json_variant *object = NULL;
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	must_have(file);
	plan_print(&change->plan, file);
	fclose(file);
	json_set_string(&object, "what", what);
	json_set(&object, "plan", plan_json(&change->plan));
	json_set_string(&object, "text", text);
	tell_object(change->out, object);
	free(text);
}

static void tell_findings(const struct change *change) {
	sd_json_variant *object = NULL;
	json_set(&object, "findings", findings_json(&change->findings));
	tell_object(change->out, object);
}

/* What comes back first, one transaction after the other. Where something cannot, a switch goes on
 * without it. */
static void look_ahead_of_return(struct change *change) {
	const struct strings *returning = change->work->order->returning;
	struct strings names = {0};
	/* In the machine's order. */
	for (size_t i = 0; returning && i < change->machine.devices_count; i++) {
		const char *name = change->machine.devices[i].name;
		if (strings_contain(returning, name)) {
			strings_add(&names, name);
		}
	}
	while (names.count > 0) {
		struct strings next = release_next_return(&change->machine, &names);
		plan_to_return(change, &next);
		if (change->plan.steps_count > 0) {
			tell_plan(change, "return");
		}
		release_foresee(&change->machine, &change->plan);
		plan_finish(&change->plan);
		strings_remove_all(&names, &next);
		strings_finish(&next);
	}
	for (size_t i = 0; i < change->findings.count; i++) {
		change->findings.items[i].blocks = false;
	}
	strings_finish(&names);
}

/* Finds everything that stands in the way, before anything is moved, and the VM's memory among it:
 * each plan is looked at on the machine that those before it would leave, so that nobody is stopped
 * for something that is refused with what comes after. */
static void look_ahead(struct change *change, const struct strings *unguarded) {
	const struct change_order *order = change->work->order;
	if (order->vm) {
		preflight_memory(&change->findings, change->host.tree, order->vm);
	}
	for (size_t next = 0; plan_next(change, unguarded, &next);) {
		if (order->dry_run && change->plan.steps_count > 0) {
			tell_plan(change, "take");
		}
		release_foresee(&change->machine, &change->plan);
		plan_finish(&change->plan);
	}
}

static bool can_be_taken(
	struct change *change, const struct strings *unguarded, struct error *error) {
	look_ahead(change, unguarded);
	bool can = findings_refuse(&change->findings, error) == 0;
	return look_again(change, error) == 0 && can;
}

/* What was taken before one fails is a change of its own, and stays. */
static enum transaction_outcome take_all(
	struct change *change, const struct strings *unguarded, struct error *error) {
	enum transaction_outcome outcome = TRANSACTION_COMMITTED;
	for (size_t next = 0; outcome == TRANSACTION_COMMITTED;) {
		if (!plan_next(change, unguarded, &next)) {
			return outcome;
		}
		outcome = go(change, "take", error);
		if (outcome == TRANSACTION_COMMITTED && look_again(change, error) < 0) {
			return TRANSACTION_REFUSED;
		}
	}
	return outcome;
}

static enum transaction_outcome say_all(
	struct change *change, const struct strings *unguarded, struct error *error) {
	look_ahead_of_return(change);
	look_ahead(change, unguarded);
	tell_findings(change);
	return change->work->order->refuse && findings_refuse(&change->findings, error) < 0
		       ? TRANSACTION_REFUSED
		       : TRANSACTION_COMMITTED;
}

static enum transaction_outcome take(struct change *change, struct error *error) {
	struct strings unguarded = {0};
	enum transaction_outcome outcome = TRANSACTION_REFUSED;
	if (find_unguarded(change, &unguarded, error) == 0) {
		if (change->work->order->dry_run) {
			outcome = say_all(change, &unguarded, error);
		} else if (can_be_taken(change, &unguarded, error)) {
			outcome = take_all(change, &unguarded, error);
		}
	}
	strings_finish(&unguarded);
	return outcome;
}

static enum transaction_outcome carry_out(struct change *change, struct error *error) {
	enum change_kind kind = change->work->order->kind;
	if (kind == CHANGE_RECOVER) {
		return recover(change, error);
	}
	/* What an open change has done is not known before it is recovered. */
	const struct transaction_host host = transaction_host(change);
	if (transaction_is_blocked(&host, error) || look(change, error) < 0) {
		return TRANSACTION_REFUSED;
	}
	if (kind == CHANGE_RETURN) {
		plan_to_return(change, &change->names);
		release_find_users(&change->findings, &change->plan, &change->machine);
		return go(change, "return", error);
	}
	return take(change, error);
}

int change_work(void *data, int out) {
	static const char *const outcomes[] = {
		[TRANSACTION_COMMITTED] = "done",
		[TRANSACTION_UNDONE] = "Failed",
		[TRANSACTION_UNFINISHED] = "Unfinished",
		[TRANSACTION_REFUSED] = "Refused",
	};
	struct change change = {.work = data, .out = out};
	const struct daemon_options *options = change.work->options;
	struct error error = {""};
	change.host = options->open_host(options->user);
	change.journals = must_print("%s/transactions", options->state);
	if (!change.host.tree) {
		tell(out, "outcome", "Refused", strerror(errno));
		return EXIT_FAILURE;
	}
	enum transaction_outcome outcome = carry_out(&change, &error);
	if (outcome == TRANSACTION_UNFINISHED) {
		const struct error reason = error;
		error_set(&error,
			"%.800s; it is undone by itself once nothing hangs in it any more, or by "
			"\"portal-host recover\"",
			reason.text);
	}
	tell(out, "outcome", outcomes[outcome], error.text);
	return EXIT_SUCCESS;
}
