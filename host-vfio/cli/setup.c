#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/setup.h"
#include "cli/terminal.h"
#include "doctor/facts.h"
#include "setup/boot.h"
#include "transaction/plan.h"

static void setup_finish(struct setup *setup) {
	strings_finish(&setup->names);
	strings_finish(&setup->unguarded);
	for (size_t i = 0; i < setup->roms_count; i++) {
		free(setup->roms[i].rom);
	}
	free(setup->roms);
	setup_plan_finish(&setup->files);
	evdevs_finish(&setup->evdevs);
	free(setup->options.devices);
	free(setup->options.inputs);
}

/* The function of one option; NULL after saying why not, with the status. */
static const struct pci_device *read_device(struct cli *cli, const char *text, int *status) {
	const struct pci_device *device = cli_device(cli, text);
	*status = !device ? CLI_FAILED
		  : device->category == CATEGORY_BRIDGE
			  ? cli_fail(CLI_REFUSED,
				    "%s is a bridge: what is behind it can be given away, not it",
				    device->name)
			  : CLI_DONE;
	return *status == CLI_DONE ? device : NULL;
}

/* --unguard DEVICE */
static int read_unguarded(struct cli *cli, struct setup *setup) {
	const char *text;
	int status = CLI_DONE;
	while (status == CLI_DONE && (text = cli_option(cli, "--unguard"))) {
		const struct pci_device *device = read_device(cli, text, &status);
		if (device) {
			strings_add(&setup->unguarded, device->name);
		}
	}
	return status;
}

/* --device DEVICE[,rom=FILE|any] */
static int read_devices(struct cli *cli, struct setup *setup) {
	static const char key[] = "rom=";
	const char *text;
	int status = CLI_DONE;
	while (status == CLI_DONE && (text = cli_option(cli, "--device"))) {
		const char *comma = strchr(text, ',');
		if (comma && (strncmp(comma + 1, key, strlen(key)) != 0 ||
				     comma[1 + strlen(key)] == '\0')) {
			return cli_fail(CLI_USAGE, "expected: --device DEVICE[,rom=FILE|any]");
		}
		char *name =
			comma ? must_print("%.*s", (int)(comma - text), text) : must_copy(text);
		const struct pci_device *device = read_device(cli, name, &status);
		if (device) {
			strings_add(&setup->names, device->name);
		}
		if (device && comma) {
			setup->roms =
				must_grow(setup->roms, setup->roms_count, sizeof(*setup->roms));
			setup->roms[setup->roms_count++] = (struct setup_rom){
				.device = device, .rom = must_copy(comma + 1 + strlen(key))};
		}
		free(name);
	}
	return status;
}

/* The devices named and what has to go with them, whether VFIO has them already or not. */
static void find_devices(struct cli *cli, struct setup *setup) {
	struct setup_options *options = &setup->options;
	for (size_t i = 0; i < cli->machine.devices_count; i++) {
		const struct pci_device *device = &cli->machine.devices[i];
		if (!plan_take_concerns(&cli->machine, &setup->names, device)) {
			continue;
		}
		options->devices = must_grow(
			options->devices, options->devices_count, sizeof(*options->devices));
		options->devices[options->devices_count++] = device;
	}
}

static int read_inputs(struct cli *cli, struct setup *setup) {
	struct setup_options *options = &setup->options;
	const char *text;
	struct error error;
	evdevs_read(&setup->evdevs, &cli->machine, cli->tree);
	while ((text = cli_option(cli, "--input"))) {
		const struct evdev *input = evdevs_find(&setup->evdevs, text, &error);
		if (!input) {
			return cli_fail(CLI_FAILED, "%s", error.text);
		}
		options->inputs =
			must_grow(options->inputs, options->inputs_count, sizeof(*options->inputs));
		options->inputs[options->inputs_count++] = input;
	}
	return CLI_DONE;
}

static int read_pages(struct cli *cli, const char *option, unsigned *pages) {
	const char *text = cli_option(cli, option);
	char *end;
	if (!text) {
		return CLI_DONE;
	}
	unsigned long count = strtoul(text, &end, 10);
	if (text[0] < '1' || text[0] > '9' || *end != '\0' || count > 16 * 1024 * 1024) {
		return cli_fail(CLI_USAGE, "\"%s\" is no number of huge pages", text);
	}
	*pages = (unsigned)count;
	return CLI_DONE;
}

static int read_options(struct cli *cli, struct setup *setup) {
	struct setup_options *options = &setup->options;
	int status = read_devices(cli, setup);
	if (status == CLI_DONE) {
		status = read_unguarded(cli, setup);
	}
	if (status == CLI_DONE) {
		status = read_inputs(cli, setup);
	}
	if (status == CLI_DONE) {
		status = read_pages(cli, "--hugepages", &options->hugepages);
	}
	if (status == CLI_DONE) {
		status = read_pages(cli, "--hugepages-1g", &options->hugepages_1g);
	}
	options->own_entry = cli_flag(cli, "--entry");
	options->zram = cli_flag(cli, "--zram");
	options->audio_user = cli_option(cli, "--audio");
	if (status == CLI_DONE) {
		status = cli_check_args(cli, 0, 0);
	}
	if (status == CLI_DONE && options->own_entry && setup->names.count == 0) {
		status = cli_fail(CLI_USAGE, "--entry leaves devices to VMs: say --device too");
	}
	if (status == CLI_DONE && setup->names.count == 0 && options->inputs_count == 0 &&
		!options->hugepages && !options->hugepages_1g && !options->zram &&
		!options->audio_user) {
		status = cli_fail(CLI_USAGE,
			"say what is to be set up: --device, --hugepages, --hugepages-1g, --zram, "
			"--input or --audio (see portal-host(1))");
	}
	return status;
}

static int read_setup(struct cli *cli, struct setup *setup) {
	static int (*const checks[])(struct cli *, const struct setup *) = {
		setup_check_pages,
		setup_check_guard,
		setup_check_groups,
	};
	struct facts facts;
	int status = read_options(cli, setup);
	facts_read(&facts, cli->tree);
	setup->options.intel = facts.intel;
	facts_finish(&facts);
	if (status == CLI_DONE) {
		find_devices(cli, setup);
	}
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && status == CLI_DONE; i++) {
		status = checks[i](cli, setup);
	}
	return status == CLI_DONE ? setup_check_roms(cli, setup) : status;
}

/* What a change of the files counts from. */
static void print_commands(
	const char *root, const struct strings *first, const struct strings *second) {
	const struct strings *const both[] = {first, second};
	bool here = strcmp(root, "/") == 0;
	size_t count = first->count + (second ? second->count : 0);
	if (count > 0) {
		printf("Now run, as root%s%s:\n", here ? "" : ", within the system (chroot) below ",
			here ? "" : root);
	}
	for (size_t i = 0; i < 2 && both[i]; i++) {
		for (size_t k = 0; k < both[i]->count; k++) {
			printf("  %s\n", both[i]->items[k]);
		}
	}
	puts(count > 0 ? "and start the machine anew." : "Now start the machine anew.");
}

static int apply(struct setup *setup, const char *manifest) {
	const struct setup_plan *files = &setup->files;
	struct error error;
	if (changes_apply(&files->changes, setup->into, manifest, &error) < 0) {
		return cli_fail(CLI_FAILED, "%s", error.text);
	}
	print_commands(setup->into, &files->changes.commands, &files->commands);
	bool here = strcmp(setup->into, "/") == 0;
	printf("\"portal-host setup --undo%s%s\" takes it back.\n", here ? "" : " --into ",
		here ? "" : setup->into);
	return CLI_DONE;
}

/* What is known of the set-up, made or not. */
static void print_notes(const struct setup *setup) {
	const struct strings *notes = &setup->files.notes;
	size_t width = terminal_paragraph(stdout);
	for (size_t i = 0; i < notes->count; i++) {
		putchar('\n');
		/* Some have lines of their own, to be copied. */
		if (strchr(notes->items[i], '\n')) {
			puts(notes->items[i]);
		} else {
			terminal_wrap(notes->items[i], 0, width, stdout);
		}
	}
}

static int undo(const char *root, const char *manifest) {
	struct error error;
	struct changes_undone undone;
	if (changes_undo(root, manifest, &undone, &error) < 0) {
		/* From how the set-up left them. */
		changes_print(&undone.edited, stdout);
		changes_undone_finish(&undone);
		return cli_fail(CLI_FAILED, "%s", error.text);
	}
	puts("The files are as they were.");
	for (size_t i = 0; i < undone.merged.count; i++) {
		printf("%s was changed by somebody else since: that stays, and only what the "
		       "set-up "
		       "had written is taken back.\n",
			undone.merged.items[i]);
	}
	for (size_t i = 0; i < undone.gone.count; i++) {
		printf("%s was removed meanwhile, and stays so.\n", undone.gone.items[i]);
	}
	struct strings copies = {0};
	boot_find_copies(root, &copies);
	for (size_t i = 0; i < copies.count; i++) {
		printf("%s was made since, for a new kernel: remove it.\n", copies.items[i]);
	}
	strings_finish(&copies);
	print_commands(root, &undone.commands, NULL);
	changes_undone_finish(&undone);
	return CLI_DONE;
}

static int check_root(const struct cli *cli, const char *root, bool writes) {
	int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return cli_fail(CLI_FAILED, "%s: %s", root, strerror(errno));
	}
	close(fd);
	if (writes && strcmp(root, "/") == 0 && geteuid() != 0) {
		return cli_fail(CLI_REFUSED, "only root may change the files of this system");
	}
	return writes ? cli_check_state(cli) : CLI_DONE;
}

/* Shows the changes, makes them where that is said, and tells what there is to know. */
static int set_up(struct cli *cli, struct setup *setup, const char *manifest, bool really) {
	struct error error;
	if (setup_generate(&setup->files, setup->into, &setup->options, &error) < 0) {
		return cli_fail(CLI_FAILED, "%s", error.text);
	}
	bool same = setup->files.changes.count == 0;
	changes_print(&setup->files.changes, stdout);
	int status = really && !same ? apply(setup, manifest) : CLI_DONE;
	if (status == CLI_DONE) {
		setup_note_devices(cli, setup);
		print_notes(setup);
		if (same) {
			puts("\nNo file has to change.");
		} else if (!really) {
			puts("\nNothing was written: --apply does it.");
		}
	}
	return status;
}

int cli_setup(struct cli *cli) {
	struct setup setup = {.into = cli_option(cli, "--into")};
	bool back = cli_flag(cli, "--undo"), really = cli_flag(cli, "--apply");
	setup.into = setup.into ? setup.into : cli->root;
	char *manifest = cli_state_path(cli, "setup.json");
	int status = CLI_DONE;
	if (cli->json) {
		status = cli_fail(CLI_USAGE, "setup shows files as diff does, and has no JSON");
	} else {
		status = back ? cli_check_args(cli, 0, 0) : read_setup(cli, &setup);
	}
	status = status == CLI_DONE ? check_root(cli, setup.into, back || really) : status;
	if (status == CLI_DONE) {
		status = back ? undo(setup.into, manifest) : set_up(cli, &setup, manifest, really);
	}
	free(manifest);
	setup_finish(&setup);
	return status;
}
