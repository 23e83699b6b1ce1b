#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "base/text.h"
#include "cli/cli.h"
#include "policy/policy.h"
#include "transaction/transaction.h"
#include "window/hook.h"

static int check_can_change(const struct cli *cli) {
	if (cli->machine_file) {
		return cli_fail(CLI_REFUSED, "a recorded machine cannot be changed");
	}
	if (strcmp(cli->root, "/") == 0 && geteuid() != 0) {
		return cli_fail(CLI_REFUSED, "only root may change who may write a device");
	}
	return CLI_DONE;
}

/* The group of the policy, the caller's; NULL after saying why there is none. */
static char *read_group(const struct cli *cli, int *status) {
	struct policy policy;
	struct error error;
	if (policy_load(&policy, cli->config, &error) < 0) {
		*status = cli_fail(CLI_FAILED, "%s", error.text);
		return NULL;
	}
	char *group = must_copy(policy.config_space);
	policy_finish(&policy);
	if (!group) {
		*status = cli_fail(CLI_REFUSED,
			"it is off, since current QEMU does not need it; \"config-space libvirt\" "
			"in "
			"%s switches it on",
			cli->config);
	}
	return group;
}

static int open_window(struct cli *cli, const struct config_window_host *host) {
	struct strings addresses = {0};
	struct error error;
	int status = cli_read_machine(cli);
	for (size_t i = 1; i < cli->args_count && status == CLI_DONE; i++) {
		const struct pci_device *device = cli_device(cli, cli->args[i]);
		if (device) {
			strings_add(&addresses, device->name);
		} else {
			status = CLI_FAILED;
		}
	}
	char *group = status == CLI_DONE ? read_group(cli, &status) : NULL;
	if (group && config_window_open(host, cli->args[0], group, &addresses, &error) < 0) {
		status = cli_fail(CLI_FAILED, "%s; everything is as it was", error.text);
	}
	free(group);
	strings_finish(&addresses);
	return status;
}

/* Both texts are the caller's. */
static struct config_window_host make_host(const struct cli *cli, char **directory, char **boot) {
	*directory = cli_state_path(cli, "config-space");
	*boot = transaction_boot(cli->tree);
	return (struct config_window_host){
		.root = cli->root,
		.directory = *directory,
		.boot = *boot ? *boot : "",
	};
}

static int close_windows(const struct cli *cli, const struct config_window_host *host, bool all) {
	struct error error;
	int result = all ? config_window_recover(host, &error)
			 : config_window_close(host, cli->args[0], &error);
	return result < 0 ? cli_fail(CLI_UNFINISHED, "%s", error.text) : CLI_DONE;
}

int cli_close_windows(struct cli *cli) {
	char *directory, *boot;
	const struct config_window_host host = make_host(cli, &directory, &boot);
	int status = close_windows(cli, &host, true);
	free(boot);
	free(directory);
	return status;
}

/* What libvirt wrote to the hook; the caller's. */
static char *read_input(void) {
	struct text text;
	text_init(&text);
	for (int c; (c = getchar()) != EOF;) {
		putc(c, text.stream);
	}
	return text_take(&text);
}

/* Without the line in the policy nothing is opened, and no start is held up. What is open is closed
 * whatever the policy says by now. */
static int follow_hook(struct cli *cli, const struct config_window_host *host) {
	struct policy policy = {0};
	struct error error;
	bool opens = window_hook_opens(cli->args[1]);
	if (opens && policy_load(&policy, cli->config, &error) < 0) {
		return cli_fail(CLI_FAILED, "%s", error.text);
	}
	/* libvirt is to find a reader in any case. */
	char *definition = read_input();
	int result = window_hook(
		host, policy.config_space, cli->args[0], cli->args[1], definition, &error);
	free(definition);
	if (opens) {
		policy_finish(&policy);
	}
	return result < 0 ? cli_fail(CLI_FAILED, "%s", error.text) : CLI_DONE;
}

static int run_open(struct cli *cli, const struct config_window_host *host) {
	int status = cli_check_args(cli, 2, SIZE_MAX);
	return status == CLI_DONE ? open_window(cli, host) : status;
}

static int run_close(struct cli *cli, const struct config_window_host *host) {
	bool all = cli_flag(cli, "--all");
	int status = all ? cli_check_args(cli, 0, 0) : cli_check_args(cli, 1, 1);
	return status == CLI_DONE ? close_windows(cli, host, all) : status;
}

/* DOMAIN OPERATION SUBOPERATION EXTRA, of which the last may be "-". */
static int run_hook(struct cli *cli, const struct config_window_host *host) {
	int status = cli_check_args(cli, 2, 4);
	return status == CLI_DONE ? follow_hook(cli, host) : status;
}

int cli_config_space(struct cli *cli) {
	static const struct {
		const char *name;
		int (*run)(struct cli *cli, const struct config_window_host *host);
	} verbs[] = {{"open", run_open}, {"close", run_close}, {"hook", run_hook}};
	size_t count = sizeof(verbs) / sizeof(verbs[0]), verb = 0;
	while (verb < count &&
		(cli->args_count == 0 || strcmp(cli->args[0], verbs[verb].name) != 0)) {
		verb++;
	}
	if (verb == count) {
		return cli_fail(CLI_USAGE,
			"expected: config-space open VM DEVICE..., config-space close VM|--all, or "
			"config-space hook VM OPERATION");
	}
	cli->args++;
	cli->args_count--;
	int status = check_can_change(cli);
	if (status != CLI_DONE) {
		return status;
	}
	char *directory, *boot;
	const struct config_window_host host = make_host(cli, &directory, &boot);
	status = verbs[verb].run(cli, &host);
	free(boot);
	free(directory);
	return status;
}
