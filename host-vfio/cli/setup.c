#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/cli.h"
#include "doctor/facts.h"
#include "policy/guard.h"
#include "setup/generate.h"
#include "transaction/plan.h"

/* What the command line asks for. */
struct setup {
	const char *into; /* the root of the system that is set up */
	struct strings names, unguarded;
	struct plan plan; /* the devices, with all of their groups */
	struct setup_options options;
	struct changes changes;
	struct strings commands;
};

static void setup_finish(struct setup *setup) {
	strings_finish(&setup->names);
	strings_finish(&setup->unguarded);
	strings_finish(&setup->commands);
	plan_finish(&setup->plan);
	changes_finish(&setup->changes);
	free(setup->options.devices);
}

static int read_devices(struct cli *cli, struct strings *names, const char *option) {
	const char *text;
	while ((text = cli_option(cli, option))) {
		const struct pci_device *device = cli_device(cli, text);
		if (!device) {
			return CLI_FAILED;
		}
		if (device->category == CATEGORY_BRIDGE) {
			return cli_fail(CLI_REFUSED, "%s is a bridge", device->name);
		}
		strings_add(names, device->name);
	}
	return CLI_DONE;
}

/* From boot on nobody sits before a controller: the guard counts as while none runs. */
static int check_guard(struct cli *cli, const struct setup *setup) {
	const struct machine *machine = &cli->machine;
	bool *taken = must_alloc(machine->devices_count, sizeof(*taken));
	int status = CLI_DONE;
	for (size_t i = 0; i < machine->devices_count; i++) {
		for (size_t k = 0; k < setup->options.devices_count; k++) {
			taken[i] |= setup->options.devices[k] == &machine->devices[i];
		}
	}
	struct guard_objection *objections;
	size_t count = guard_check(machine, taken, false, &objections);
	for (size_t i = 0; i < count; i++) {
		if (!strings_contain(&setup->unguarded, objections[i].device->name)) {
			status = cli_fail(CLI_REFUSED, "the survival guard (%s) keeps %s: %s",
				guard_rule_name(objections[i].rule), objections[i].device->name,
				objections[i].text);
		}
	}
	free(objections);
	free(taken);
	return status;
}

/* The devices named and what has to go with them, whether VFIO has them already or not. */
static void find_devices(struct cli *cli, struct setup *setup) {
	struct setup_options *options = &setup->options;
	plan_take(&setup->plan, &cli->machine, &setup->names);
	for (size_t i = 0; i < cli->machine.devices_count; i++) {
		const struct pci_device *device = &cli->machine.devices[i];
		if (!plan_has(&setup->plan, device->name) &&
			!strings_contain(&setup->names, device->name)) {
			continue;
		}
		options->devices = must_grow(
			options->devices, options->devices_count, sizeof(*options->devices));
		options->devices[options->devices_count++] = device;
	}
}

static int read_hugepages(struct cli *cli, struct setup_options *options) {
	const char *text = cli_option(cli, "--hugepages");
	char *end;
	if (!text) {
		return CLI_DONE;
	}
	unsigned long count = strtoul(text, &end, 10);
	if (text[0] < '1' || text[0] > '9' || *end != '\0' || count > 16 * 1024 * 1024) {
		return cli_fail(CLI_USAGE, "\"%s\" is no number of huge pages", text);
	}
	options->hugepages = (unsigned)count;
	return CLI_DONE;
}

static int read_setup(struct cli *cli, struct setup *setup) {
	int status = read_devices(cli, &setup->names, "--device");
	if (status == CLI_DONE) {
		status = read_devices(cli, &setup->unguarded, "--unguard");
	}
	if (status == CLI_DONE) {
		status = read_hugepages(cli, &setup->options);
	}
	setup->options.own_entry = cli_flag(cli, "--entry");
	setup->options.zram = cli_flag(cli, "--zram");
	if (status == CLI_DONE) {
		status = cli_check_args(cli, 0, 0);
	}
	if (status == CLI_DONE) {
		find_devices(cli, setup);
		status = check_guard(cli, setup);
	}
	struct facts facts;
	facts_read(&facts, cli->tree);
	setup->options.intel = facts.intel;
	facts_finish(&facts);
	return status;
}

static int apply(struct cli *cli, struct setup *setup, const char *manifest) {
	struct error error;
	if (setup->changes.count == 0) {
		puts("everything is set up like this already");
		return CLI_DONE;
	}
	if (changes_apply(&setup->changes, setup->into, manifest, &error) < 0) {
		return cli_fail(CLI_FAILED, "%s", error.text);
	}
	puts("Now run, as root:");
	for (size_t i = 0; i < setup->commands.count; i++) {
		printf("  %s\n", setup->commands.items[i]);
	}
	puts("and start the machine anew. \"portal-host setup --undo\" takes it back.");
	return CLI_DONE;
}

int cli_setup(struct cli *cli) {
	struct setup setup = {.into = cli_option(cli, "--into")};
	struct error error;
	bool undo = cli_flag(cli, "--undo"), really = cli_flag(cli, "--apply");
	setup.into = setup.into ? setup.into : cli->root;
	char *manifest = cli_state_path(cli, "setup.json");
	int status = undo ? cli_check_args(cli, 0, 0) : read_setup(cli, &setup);
	if (status == CLI_DONE && undo) {
		if (changes_undo(setup.into, manifest, &error) < 0) {
			status = cli_fail(CLI_FAILED, "%s", error.text);
		} else {
			puts("The files are as they were. Make initramfs and boot menu anew as "
			     "after the set-up.");
		}
	} else if (status == CLI_DONE && setup_generate(&setup.changes, &setup.commands, setup.into,
						 &setup.options, &error) < 0) {
		status = cli_fail(CLI_FAILED, "%s", error.text);
	} else if (status == CLI_DONE) {
		changes_print(&setup.changes, stdout);
		status = really ? apply(cli, &setup, manifest) : CLI_DONE;
	}
	free(manifest);
	setup_finish(&setup);
	return status;
}
