#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/terminal.h"
#include "inventory/live.h"
#include "tree/machine_file.h"

static const struct cli_command commands[] = {
	{"list", "", "the machine's PCI functions", true, cli_list},
	{"show", "DEVICE...", "everything known about a function", true, cli_show},
	{"groups", "", "the IOMMU groups and who shares them", true, cli_groups},
	{"inputs", "", "keyboards and mice that a VM can share", true, cli_inputs},
	{"record", "FILE", "write the machine down, to be looked at elsewhere", false, cli_record},
	{"doctor", "[--rom FILE|DEVICE]", "can this machine give devices away, and what is missing",
		true, cli_doctor},
	{"setup", "[OPTION]... [--apply|--undo]",
		"set the host up to give devices away from boot on", true, cli_setup},
	{"known", "", "the devices that have names, and where they are", true, cli_known},
	{"remember", "DEVICE NAME", "name a device, wherever it goes", true, cli_remember},
	{"forget", "NAME", "take a name away", true, cli_forget},
	{"assignments", "[--running VM]...", "which device belongs where, and why", true,
		cli_assignments},
	{"take", "DEVICE... [--dry-run]", "give devices and their groups to VFIO", true, cli_take},
	{"release-gpu", "DEVICE [OPTION]...", "the same for a graphics card in use", true,
		cli_release_gpu},
	{"return", "DEVICE...|--all [--dry-run]", "bring devices back to the host", true,
		cli_return},
	{"recover", "", "undo what was interrupted", false, cli_recover},
	{"memory", "[GUEST...]", "what guests and heaps get at the next start", false, cli_memory},
	{"domain", "show|edit|prepare DOMAIN [OPTION]...",
		"a VM's devices, memory and processors in libvirt", false, cli_domain},
	{"heap", "attach|detach|follow CONTROLLER GUEST...",
		"a guest's heap, while its controller VM runs", false, cli_heap},
	{"config-space", "open|close|hook VM [ARGUMENT...]",
		"who may write devices' configuration while a VM starts", false, cli_config_space},
	{"status", "", "what portal-hostd knows: VMs, guests, a switch", false, cli_status},
	{"watch", "", "the same, again whenever it changes", false, cli_watch},
	{"switch", "CONTROLLER|--host [--force] [--dry-run]", "from one controller VM to another",
		false, cli_switch},
	{"transactions", "", "what was changed, and how it ended", false, cli_transactions},
};

static void print_help(FILE *file) {
	fputs("usage: portal-host [--machine FILE | --root DIR] [--state DIR] [--config FILE]\n"
	      "                   [--json] COMMAND [ARGUMENT...]\n\n",
		file);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		enum { COLUMN = 32, LINE = 80 };
		char synopsis[128];
		snprintf(synopsis, sizeof(synopsis), "%s %s", commands[i].name, commands[i].usage);
		/* One that is long has its line for itself. */
		bool fits = strlen(synopsis) + 2 < COLUMN;
		fprintf(file, "  %s%s%*s", synopsis, fits ? "" : "\n",
			fits ? COLUMN - (int)strlen(synopsis) - 2 : COLUMN, "");
		terminal_wrap(commands[i].help, COLUMN, LINE, file);
	}
	fputs("\nportal-host(1) says more.\n", file);
}

static const struct cli_command *find_command(const char *name) {
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

static int open_tree(struct cli *cli) {
	if (cli->machine_file) {
		struct error error;
		struct memory_tree *tree = machine_file_load(cli->machine_file, &error);
		if (!tree) {
			return cli_fail(CLI_FAILED, "%s", error.text);
		}
		cli->tree = memory_tree_base(tree);
		return CLI_DONE;
	}
	cli->tree = live_tree_create(cli->root);
	if (!cli->tree) {
		return cli_fail(CLI_FAILED, "%s: %s", cli->root, strerror(errno));
	}
	return CLI_DONE;
}

static int run(struct cli *cli, const struct cli_command *command) {
	int status = open_tree(cli);
	if (status != CLI_DONE) {
		return status;
	}
	if (command->needs_machine) {
		status = cli_read_machine(cli);
	}
	if (status == CLI_DONE) {
		status = command->run(cli);
	}
	known_finish(&cli->known);
	machine_finish(&cli->machine);
	tree_destroy(cli->tree);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		return cli_fail(CLI_FAILED, "cannot write: %s", strerror(errno));
	}
	return status;
}

static int start(struct cli *cli) {
	if (cli_flag(cli, "--help")) {
		print_help(stdout);
		return CLI_DONE;
	}
	if (cli_flag(cli, "--version")) {
		puts("portal-host " PORTAL_VERSION);
		return CLI_DONE;
	}
	cli->machine_file = cli_option(cli, "--machine");
	cli->root = cli_option(cli, "--root");
	cli->state = cli_option(cli, "--state");
	cli->config = cli_option(cli, "--config");
	cli->json = cli_flag(cli, "--json");
	if (cli->machine_file && cli->root) {
		return cli_fail(CLI_USAGE, "--machine and --root exclude each other");
	}
	if (!cli->root) {
		cli->root = "/";
	}
	cli->state = cli->state ? cli->state : "/var/lib/portal/host";
	cli->config = cli->config ? cli->config : "/etc/portal/host.scfg";
	if (cli->args_count == 0) {
		print_help(stderr);
		return CLI_USAGE;
	}
	if (cli->args[0][0] == '-') {
		return cli_refuse_option(cli, cli->args[0]);
	}
	const struct cli_command *command = find_command(cli->args[0]);
	if (!command) {
		return cli_fail(
			CLI_USAGE, "no such command: %s (see portal-host --help)", cli->args[0]);
	}
	cli->args++;
	cli->args_count--;
	return run(cli, command);
}

int main(int argc, char *argv[]) {
	struct cli cli = {.args = argv + 1, .args_count = (size_t)(argc > 0 ? argc - 1 : 0)};
	int status = start(&cli);
	strings_finish(&cli.taken);
	return status;
}
