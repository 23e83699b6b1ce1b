#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/change.h"
#include "release/release.h"

/* The kernel's names (pci_reset_fn_methods in drivers/pci/pci.c). */
static bool is_reset_method(const char *name) {
	static const char *const names[] = {
		"device_specific", "acpi", "flr", "af_flr", "pm", "bus", "cxl_bus"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], name) == 0) {
			return true;
		}
	}
	return false;
}

/* --reset METHOD, as often as wanted. */
static int read_resets(struct cli *cli, struct strings *resets) {
	const char *method;
	while ((method = cli_option(cli, "--reset"))) {
		if (!is_reset_method(method)) {
			return cli_fail(CLI_USAGE,
				"\"%s\" is no reset method (device_specific, acpi, flr, af_flr, "
				"pm, bus, cxl_bus)",
				method);
		}
		strings_add(resets, method);
	}
	return CLI_DONE;
}

static bool ask(const char *title, void *user) {
	char answer[16] = "";
	printf("nothing has helped so far. Now %s? [y/N] ", title);
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* By option; else as the policy has it; else whoever sits there is asked. */
static int read_suspend(struct cli *cli, struct change *change, struct release_options *options) {
	bool yes = cli_flag(cli, "--suspend"), no = cli_flag(cli, "--no-suspend");
	if (yes && no) {
		return cli_fail(CLI_USAGE, "--suspend and --no-suspend exclude each other");
	}
	bool there = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !cli->json;
	change->confirm = there ? ask : NULL;
	options->suspend = yes		  ? RELEASE_SUSPEND_ALLOWED
			   : there && !no ? RELEASE_SUSPEND_ASK
					  : RELEASE_SUSPEND_NEVER;
	return CLI_DONE;
}

static int read_options(struct cli *cli, struct change *change, struct release_options *options,
	struct strings *resets) {
	options->stop_holders = cli_flag(cli, "--stop-holders");
	options->kill = cli_flag(cli, "--kill");
	if (options->kill && !options->stop_holders) {
		return cli_fail(CLI_USAGE, "--kill says how --stop-holders does it");
	}
	int status = read_suspend(cli, change, options);
	if (status == CLI_DONE) {
		status = read_resets(cli, resets);
	}
	return status == CLI_DONE ? change_read_options(cli, change) : status;
}

static int check_gpu(struct cli *cli, const char *address) {
	const struct pci_device *device = machine_find(&cli->machine, address);
	if (!device || device->category != CATEGORY_GPU) {
		return cli_fail(CLI_USAGE, "%s is no graphics card", address);
	}
	return CLI_DONE;
}

int cli_release_gpu(struct cli *cli) {
	struct change change = {.what = "take"};
	struct release_options options = {0};
	struct strings resets = {0};
	struct policy policy = {0};
	int status = read_options(cli, &change, &options, &resets);
	if (status == CLI_DONE) {
		status = change_read_names(cli, &change, 1, 1);
	}
	if (status == CLI_DONE) {
		status = check_gpu(cli, change.names.items[0]);
	}
	if (status == CLI_DONE) {
		status = change_read_policy(cli, &change, &policy);
	}
	if (status == CLI_DONE) {
		struct step_host host = change_step_host(cli);
		options.resets = &resets;
		release_plan(&change.plan, &change.findings, &cli->machine, &host,
			change.names.items[0], &change.unguarded, &options);
		status = change_carry_out(cli, &change);
	}
	policy_finish(&policy);
	strings_finish(&resets);
	change_finish(&change);
	return status;
}
