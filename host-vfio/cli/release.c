#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/change.h"
#include "release/release.h"

/* --reset METHOD, as often as wanted. */
static int read_resets(struct cli *cli, struct strings *resets) {
	const char *method;
	while ((method = cli_option(cli, "--reset"))) {
		if (!policy_is_reset_method(method)) {
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

/* What was said on the command line, which goes before the policy. */
struct said {
	bool stop_holders, kill, suspend, no_suspend;
	struct strings resets;
};

static int read_said(struct cli *cli, struct change *change, struct said *said) {
	said->stop_holders = cli_flag(cli, "--stop-holders");
	said->kill = cli_flag(cli, "--kill");
	said->suspend = cli_flag(cli, "--suspend");
	said->no_suspend = cli_flag(cli, "--no-suspend");
	if (said->suspend && said->no_suspend) {
		return cli_fail(CLI_USAGE, "--suspend and --no-suspend exclude each other");
	}
	if (said->kill && !said->stop_holders) {
		return cli_fail(CLI_USAGE, "--kill says how --stop-holders does it");
	}
	int status = read_resets(cli, &said->resets);
	return status == CLI_DONE ? change_read_options(cli, change) : status;
}

static void choose(const struct cli *cli, struct change *change, const struct said *said,
	struct release_options *options) {
	options->stop_holders |= said->stop_holders;
	options->kill |= said->kill;
	if (said->resets.count > 0) {
		options->resets = &said->resets;
	}
	if (said->suspend || said->no_suspend) {
		options->suspend = said->suspend ? RELEASE_SUSPEND_ALLOWED : RELEASE_SUSPEND_NEVER;
	}
	bool there = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !cli->json;
	change->confirm = there ? ask : NULL;
	if (options->suspend == RELEASE_SUSPEND_ASK && !there) {
		options->suspend = RELEASE_SUSPEND_NEVER;
	}
}

static int check_gpu(struct cli *cli, const char *address) {
	const struct pci_device *device = machine_find(&cli->machine, address);
	if (!device || device->category != CATEGORY_GPU) {
		return cli_fail(CLI_USAGE, "%s is no graphics card", address);
	}
	return CLI_DONE;
}

static int release(struct cli *cli, struct change *change, const struct said *said) {
	struct policy policy = {0};
	int status = change_read_policy(cli, change, &policy);
	if (status == CLI_DONE) {
		struct release_options options;
		struct step_host host = change_step_host(cli);
		release_options_init(
			&options, &policy, &cli->known, &cli->machine, change->names.items[0]);
		choose(cli, change, said, &options);
		release_plan(&change->plan, &change->findings, &cli->machine, &host, &change->names,
			&change->unguarded, &options);
		status = change_carry_out(cli, change);
	}
	policy_finish(&policy);
	return status;
}

int cli_release_gpu(struct cli *cli) {
	struct change change = {.what = "take"};
	struct said said = {0};
	int status = read_said(cli, &change, &said);
	if (status == CLI_DONE) {
		status = change_read_names(cli, &change, 1, 1);
	}
	if (status == CLI_DONE) {
		status = check_gpu(cli, change.names.items[0]);
	}
	if (status == CLI_DONE) {
		status = release(cli, &change, &said);
	}
	strings_finish(&said.resets);
	change_finish(&change);
	return status;
}
