#include <stdlib.h>

#include "cli/change.h"
#include "release/release.h"

int cli_take(struct cli *cli) {
	struct change change = {.what = "take"};
	struct policy policy = {0};
	int status = change_read_options(cli, &change);
	if (status == CLI_DONE) {
		status = change_read_names(cli, &change, 1, SIZE_MAX);
	}
	if (status == CLI_DONE) {
		status = change_read_policy(cli, &change, &policy);
	}
	if (status == CLI_DONE) {
		plan_take(&change.plan, &cli->machine, &change.names);
		preflight_take(&change.findings, &change.plan, &cli->machine, &change.names,
			&change.unguarded, 0);
		status = change_carry_out(cli, &change);
	}
	policy_finish(&policy);
	change_finish(&change);
	return status;
}

static int check_return(struct cli *cli, const struct change *change,
	const struct journal_records *records, const char *boot) {
	for (size_t i = 0; i < change->names.count; i++) {
		const struct pci_device *device =
			machine_find(&cli->machine, change->names.items[i]);
		if (!transaction_former(records, boot, device)) {
			struct error error;
			error_set(&error,
				"%s was not taken since the machine was booted, so there is no "
				"former driver to return it to",
				device->name);
			return change_refuse(cli, error.text);
		}
	}
	return CLI_DONE;
}

static int return_devices(struct cli *cli, struct change *change) {
	struct journal_records records;
	struct strings problems = {0};
	struct step_host host = change_step_host(cli);
	char *journals = cli_state_path(cli, "transactions");
	char *boot = transaction_boot(cli->tree);
	const char *now = boot ? boot : "";
	journal_read_all(&records, journals, &problems);
	struct transaction_host changes = change_host(cli, journals);
	struct error error;
	/* What an open change has done is not known before it is recovered. */
	int status = transaction_is_blocked(&changes, &error)
			     ? change_refuse(cli, error.text)
			     : check_return(cli, change, &records, now);
	if (status == CLI_DONE) {
		release_plan_return(
			&change->plan, &cli->machine, &host, &change->names, &records, now);
		release_find_users(&change->findings, &change->plan, &cli->machine);
		status = change_carry_out(cli, change);
	}
	free(boot);
	free(journals);
	strings_finish(&problems);
	journal_records_finish(&records);
	return status;
}

int cli_return(struct cli *cli) {
	struct change change = {.what = "return", .dry_run = cli_flag(cli, "--dry-run")};
	bool all = cli_flag(cli, "--all");
	int status = change_read_names(cli, &change, all ? 0 : 1, all ? 0 : SIZE_MAX);
	if (status == CLI_DONE) {
		status = return_devices(cli, &change);
	}
	change_finish(&change);
	return status;
}

int cli_recover(struct cli *cli) {
	int status = cli_check_args(cli, 0, 0);
	if (status == CLI_DONE) {
		status = change_is_possible(cli);
	}
	if (status != CLI_DONE) {
		return status;
	}
	struct error error = {""};
	char *journals = cli_state_path(cli, "transactions");
	struct transaction_host host = change_host(cli, journals);
	enum transaction_outcome outcome = transaction_recover(&host, &error);
	free(journals);
	/* Nothing left to undo is what was asked for. */
	status = change_report(
		cli, outcome == TRANSACTION_UNDONE ? TRANSACTION_COMMITTED : outcome, &error);
	int windows = cli_close_windows(cli);
	return status == CLI_DONE ? windows : status;
}
