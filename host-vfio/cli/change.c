#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "base/size.h"
#include "cli/cli.h"
#include "policy/policy.h"
#include "transaction/preflight.h"
#include "transaction/transaction.h"

/* What a command to change something is about. */
struct change {
	struct strings names; /* addresses asked for */
	struct plan plan;
	struct findings findings;
	const char *what;
	bool dry_run;
};

static void change_finish(struct change *change) {
	strings_finish(&change->names);
	plan_finish(&change->plan);
	findings_finish(&change->findings);
}

static sd_json_variant *change_json(const struct change *change) {
	sd_json_variant *object = NULL, *findings = json_array();
	for (size_t i = 0; i < change->findings.count; i++) {
		sd_json_variant *finding = NULL;
		json_set_flag(&finding, "blocks", change->findings.items[i].blocks);
		json_set_string(&finding, "text", change->findings.items[i].text);
		json_append(&findings, finding);
	}
	json_set_string(&object, "what", change->what);
	json_set(&object, "findings", findings);
	json_set(&object, "plan", plan_json(&change->plan));
	return object;
}

static void print_findings(const struct findings *findings, FILE *file) {
	for (size_t i = 0; i < findings->count; i++) {
		fprintf(file, "%s: %s\n", findings->items[i].blocks ? "refused" : "note",
			findings->items[i].text);
	}
}

static void print_progress(const char *sentence, void *user) {
	puts(sentence);
	fflush(stdout);
}

static struct transaction_host make_host(const struct cli *cli, const char *journals) {
	return (struct transaction_host){
		.steps = {.tree = cli->tree, .load_driver = step_modprobe},
		.journals = journals,
		.progress = cli->json ? NULL : print_progress,
	};
}

static int check_can_change(const struct cli *cli) {
	if (cli->machine_file) {
		return cli_fail(CLI_REFUSED, "a recorded machine cannot be changed (--dry-run "
					     "shows the plan)");
	}
	if (strcmp(cli->root, "/") == 0 && geteuid() != 0) {
		return cli_fail(CLI_REFUSED, "only root may change who drives a device");
	}
	return CLI_DONE;
}

static int report_outcome(
	const struct cli *cli, enum transaction_outcome outcome, const struct error *error) {
	static const char *const names[] = {
		[TRANSACTION_COMMITTED] = "committed",
		[TRANSACTION_UNDONE] = "undone",
		[TRANSACTION_UNFINISHED] = "unfinished",
		[TRANSACTION_REFUSED] = "refused",
	};
	if (cli->json) {
		sd_json_variant *object = NULL;
		json_set_string(&object, "outcome", names[outcome]);
		json_set_string(
			&object, "reason", outcome == TRANSACTION_COMMITTED ? NULL : error->text);
		cli_print_json(object);
	}
	switch (outcome) {
	case TRANSACTION_COMMITTED:
		return CLI_DONE;
	case TRANSACTION_UNDONE:
		return cli_fail(CLI_FAILED, "%s; everything is as it was", error->text);
	case TRANSACTION_REFUSED:
		return cli_fail(CLI_REFUSED, "%s", error->text);
	default:
		return cli_fail(
			CLI_UNFINISHED, "%s; \"portal-host recover\" tries again", error->text);
	}
}

/* Shows the change, and does it where that was asked for and nothing stands in the way. */
static int carry_out(struct cli *cli, const struct change *change) {
	bool blocked = findings_block(&change->findings);
	if (change->dry_run) {
		if (cli->json) {
			cli_print_json(change_json(change));
		} else {
			print_findings(&change->findings, stdout);
			plan_print(&change->plan, stdout);
		}
		return blocked ? CLI_REFUSED : CLI_DONE;
	}
	print_findings(&change->findings, stderr);
	if (blocked) {
		return cli_fail(CLI_REFUSED, "nothing was changed");
	}
	int status = check_can_change(cli);
	if (status != CLI_DONE) {
		return status;
	}
	if (change->plan.steps_count == 0) {
		return CLI_DONE;
	}
	struct error error;
	char *journals = cli_state_path(cli, "transactions");
	struct transaction_host host = make_host(cli, journals);
	enum transaction_outcome outcome =
		transaction_run(&host, change->what, &change->plan, &error);
	free(journals);
	return report_outcome(cli, outcome, &error);
}

/* The devices of the command line, as addresses. */
static int read_names(struct cli *cli, struct strings *names) {
	for (size_t i = 0; i < cli->args_count; i++) {
		const struct pci_device *device = cli_device(cli, cli->args[i]);
		if (!device) {
			return CLI_FAILED;
		}
		strings_add(names, device->name);
	}
	return CLI_DONE;
}

/* Adds what the policy lets go by name. One that cannot be found cannot be taken either. */
static int read_unguarded(struct cli *cli, struct strings *unguarded) {
	struct policy policy;
	struct error error;
	if (policy_load(&policy, cli->config, &error) < 0) {
		return cli_fail(CLI_FAILED, "%s", error.text);
	}
	for (size_t i = 0; i < policy.unguarded.count; i++) {
		const struct pci_device *device =
			known_resolve(&cli->known, &cli->machine, policy.unguarded.items[i], NULL);
		if (device) {
			strings_add(unguarded, device->name);
		}
	}
	policy_finish(&policy);
	return CLI_DONE;
}

static int read_memory(struct cli *cli, struct change *change) {
	const char *text = cli_option(cli, "--memory");
	uint64_t size;
	if (!text) {
		return CLI_DONE;
	}
	if (!size_parse(text, &size)) {
		return cli_fail(CLI_USAGE, "\"%s\" is no amount of memory (4G, 512M)", text);
	}
	preflight_memory(&change->findings, cli->tree, size);
	return CLI_DONE;
}

static int read_unguard_options(struct cli *cli, struct strings *unguarded) {
	const char *text;
	while ((text = cli_option(cli, "--unguard"))) {
		const struct pci_device *device = cli_device(cli, text);
		if (!device) {
			return CLI_FAILED;
		}
		strings_add(unguarded, device->name);
	}
	return CLI_DONE;
}

static int check_gpu(struct cli *cli, const char *address) {
	const struct pci_device *device = machine_find(&cli->machine, address);
	if (!device || device->category != CATEGORY_GPU) {
		return cli_fail(CLI_USAGE, "%s is no graphics card", address);
	}
	return CLI_DONE;
}

static int take(struct cli *cli, unsigned flags, size_t most) {
	struct change change = {.what = "take", .dry_run = cli_flag(cli, "--dry-run")};
	struct strings unguarded = {0};
	int status = read_unguard_options(cli, &unguarded);
	if (status == CLI_DONE) {
		status = read_memory(cli, &change);
	}
	if (status == CLI_DONE) {
		status = cli_check_args(cli, 1, most);
	}
	if (status == CLI_DONE) {
		status = read_names(cli, &change.names);
	}
	for (size_t i = 0; i < change.names.count && (flags & PREFLIGHT_RELEASE_CONSOLE); i++) {
		status = status == CLI_DONE ? check_gpu(cli, change.names.items[i]) : status;
	}
	if (status == CLI_DONE) {
		status = read_unguarded(cli, &unguarded);
	}
	if (status == CLI_DONE) {
		plan_take(&change.plan, &cli->machine, &change.names);
		preflight_take(&change.findings, &change.plan, &cli->machine, &change.names,
			&unguarded, flags);
		status = carry_out(cli, &change);
	}
	strings_finish(&unguarded);
	change_finish(&change);
	return status;
}

int cli_take(struct cli *cli) {
	return take(cli, 0, SIZE_MAX);
}

int cli_release_gpu(struct cli *cli) {
	return take(cli, PREFLIGHT_RELEASE_CONSOLE, 1);
}

/* Plans the way back of every device of the group that was taken, the last one first. */
static void plan_return(struct cli *cli, struct change *change,
	const struct journal_records *records, const char *boot) {
	for (size_t i = cli->machine.devices_count; i > 0; i--) {
		const struct pci_device *device = &cli->machine.devices[i - 1];
		const struct driver_state *former = transaction_former(records, boot, device);
		bool meant = change->names.count == 0;
		for (size_t k = 0; k < change->names.count && !meant; k++) {
			const struct pci_device *named =
				machine_find(&cli->machine, change->names.items[k]);
			meant = named->iommu_group == device->iommu_group;
		}
		if (former && meant) {
			plan_add(&change->plan, device, former);
		}
	}
}

static int check_return(struct cli *cli, const struct change *change,
	const struct journal_records *records, const char *boot) {
	for (size_t i = 0; i < change->names.count; i++) {
		const struct pci_device *device =
			machine_find(&cli->machine, change->names.items[i]);
		if (!transaction_former(records, boot, device)) {
			return cli_fail(CLI_REFUSED,
				"%s was not taken since the machine was booted, so there is no "
				"former driver to return it to",
				device->name);
		}
	}
	return CLI_DONE;
}

/* A VM that has the device open would make the unbinding hang. */
static void find_users(struct cli *cli, struct change *change) {
	for (size_t i = 0; i < change->plan.devices_count; i++) {
		const struct pci_device *device =
			machine_find(&cli->machine, change->plan.devices[i].address);
		for (size_t k = 0; k < device->holders_count; k++) {
			char *sentence = holder_sentence(&device->holders[k]);
			findings_add(&change->findings, true, "%s is in use: %s", device->name,
				sentence);
			free(sentence);
		}
	}
}

int cli_return(struct cli *cli) {
	struct change change = {.what = "return", .dry_run = cli_flag(cli, "--dry-run")};
	bool all = cli_flag(cli, "--all");
	int status = cli_check_args(cli, all ? 0 : 1, all ? 0 : SIZE_MAX);
	if (status == CLI_DONE) {
		status = read_names(cli, &change.names);
	}
	if (status != CLI_DONE) {
		change_finish(&change);
		return status;
	}
	struct journal_records records;
	struct strings problems = {0};
	char *journals = cli_state_path(cli, "transactions");
	char *boot = transaction_boot(cli->tree);
	journal_read_all(&records, journals, &problems);
	status = check_return(cli, &change, &records, boot ? boot : "");
	if (status == CLI_DONE) {
		plan_return(cli, &change, &records, boot ? boot : "");
		find_users(cli, &change);
		status = carry_out(cli, &change);
	}
	free(boot);
	free(journals);
	strings_finish(&problems);
	journal_records_finish(&records);
	change_finish(&change);
	return status;
}

int cli_recover(struct cli *cli) {
	int status = cli_check_args(cli, 0, 0);
	if (status == CLI_DONE) {
		status = check_can_change(cli);
	}
	if (status != CLI_DONE) {
		return status;
	}
	struct error error = {""};
	char *journals = cli_state_path(cli, "transactions");
	struct transaction_host host = make_host(cli, journals);
	enum transaction_outcome outcome = transaction_recover(&host, &error);
	free(journals);
	/* Nothing left to undo is what was asked for. */
	status = report_outcome(
		cli, outcome == TRANSACTION_UNDONE ? TRANSACTION_COMMITTED : outcome, &error);
	int windows = cli_close_windows(cli);
	return status == CLI_DONE ? windows : status;
}
