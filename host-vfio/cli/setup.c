#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "base/size.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/terminal.h"
#include "doctor/doctor.h"
#include "doctor/facts.h"
#include "policy/guard.h"
#include "setup/boot.h"
#include "setup/generate.h"
#include "transaction/plan.h"

/* What the command line asks for. */
struct setup {
	const char *into; /* the root of the system that is set up */
	struct strings names, unguarded;
	struct plan plan; /* the devices, with all of their groups */
	struct evdevs evdevs;
	struct setup_options options;
	struct setup_plan files;
};

static void setup_finish(struct setup *setup) {
	strings_finish(&setup->names);
	strings_finish(&setup->unguarded);
	plan_finish(&setup->plan);
	setup_plan_finish(&setup->files);
	evdevs_finish(&setup->evdevs);
	free(setup->options.devices);
	free(setup->options.inputs);
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
			const char *name = objections[i].device->name;
			status = cli_fail(CLI_REFUSED,
				"the survival guard (%s) keeps %s: %s (--unguard %s lets it go)",
				guard_rule_name(objections[i].rule), name, objections[i].text,
				name);
		}
	}
	guard_free(objections, count);
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

/* A machine whose memory is all in huge pages does not come up any more. */
static int check_pages(const struct setup_options *options, const struct facts *facts) {
	static const uint64_t least = (uint64_t)2 << 30;
	uint64_t pages =
		((uint64_t)options->hugepages << 21) + ((uint64_t)options->hugepages_1g << 30);
	if (options->hugepages_1g > 0 && !facts->pages_1g) {
		return cli_fail(CLI_REFUSED, "this processor has no pages of 1 GiB");
	}
	if (pages > 0 && facts->memory > 0 && pages + least > facts->memory) {
		char wanted[SIZE_TEXT], there[SIZE_TEXT];
		size_format(pages, wanted);
		size_format(facts->memory, there);
		return cli_fail(CLI_REFUSED,
			"huge pages of %s would leave the host less than 2 GiB of its %s", wanted,
			there);
	}
	return CLI_DONE;
}

static int read_options(struct cli *cli, struct setup *setup) {
	struct setup_options *options = &setup->options;
	int status = read_devices(cli, &setup->names, "--device");
	if (status == CLI_DONE) {
		status = read_devices(cli, &setup->unguarded, "--unguard");
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
			"--input or --audio (see portal-host --help)");
	}
	return status;
}

static int read_setup(struct cli *cli, struct setup *setup) {
	struct facts facts;
	int status = read_options(cli, setup);
	facts_read(&facts, cli->tree);
	setup->options.intel = facts.intel;
	if (status == CLI_DONE) {
		status = check_pages(&setup->options, &facts);
	}
	facts_finish(&facts);
	if (status == CLI_DONE) {
		find_devices(cli, setup);
		status = check_guard(cli, setup);
	}
	return status;
}

/* A driver that is no module is there before the first rule counts. */
static void note_built_in(struct cli *cli, struct setup *setup) {
	for (size_t i = 0; i < setup->options.devices_count && !cli->machine_file; i++) {
		const struct pci_device *device = setup->options.devices[i];
		if (device->driver &&
			!tree_exists(cli->tree, "/sys/bus/pci/drivers/%s/module", device->driver)) {
			strings_take(&setup->files.notes,
				must_print("The driver %s is part of this kernel and has %s before "
					   "it can be reserved:\nafter the start, \"portal-host "
					   "take %s\" gives it to VFIO.",
					device->driver, device->name, device->name));
		}
	}
}

/* The caller's. */
static char *problem_note(const struct diagnosis *diagnosis) {
	struct text note;
	text_init(&note);
	size_t width = terminal_paragraph(stdout);
	fputs("A problem as the machine runs now:\n", note.stream);
	terminal_wrap(diagnosis->finding, 0, width, note.stream);
	terminal_wrap(diagnosis->remedy ? diagnosis->remedy : "", 0, width, note.stream);
	char *text = text_take(&note);
	size_t length = strlen(text);
	while (length > 0 && text[length - 1] == '\n') {
		text[--length] = '\0';
	}
	return text;
}

/* What the files alone do not mend, in the words of doctor; and what nobody can know yet. */
static void note_problems(struct cli *cli, struct setup *setup) {
	struct strings *notes = &setup->files.notes;
	struct diagnoses diagnoses = {0};
	if (setup->options.devices_count == 0) {
		return;
	}
	doctor_examine(&diagnoses, &cli->machine, cli->tree);
	for (size_t i = 0; i < diagnoses.count; i++) {
		const struct diagnosis *found = &diagnoses.items[i];
		if (found->grade == DIAGNOSIS_PROBLEM) {
			strings_take(notes, problem_note(found));
		}
	}
	diagnoses_finish(&diagnoses);
	for (size_t i = 0; i < setup->options.devices_count; i++) {
		const struct pci_device *device = setup->options.devices[i];
		if (device->iommu_group < 0) {
			strings_take(notes,
				must_print("What shares an IOMMU group with %s, and has to go with "
					   "it,\ncannot be known while the IOMMU is off: run this "
					   "again when it is on.",
					device->name));
		}
	}
}

static void print_commands(const struct strings *first, const struct strings *second) {
	const struct strings *const both[] = {first, second};
	if (first->count + (second ? second->count : 0) > 0) {
		puts("Now run, as root:");
	}
	for (size_t i = 0; i < 2 && both[i]; i++) {
		for (size_t k = 0; k < both[i]->count; k++) {
			printf("  %s\n", both[i]->items[k]);
		}
	}
}

static int apply(struct setup *setup, const char *manifest) {
	const struct setup_plan *files = &setup->files;
	struct error error;
	if (files->changes.count == 0) {
		puts("The files are like this already.");
		return CLI_DONE;
	}
	if (changes_apply(&files->changes, setup->into, manifest, &error) < 0) {
		return cli_fail(CLI_FAILED, "%s", error.text);
	}
	print_commands(&files->changes.commands, &files->commands);
	puts("and start the machine anew. \"portal-host setup --undo\" takes it back.");
	return CLI_DONE;
}

static int undo(const char *root, const char *manifest) {
	struct error error;
	struct changes_undone undone;
	if (changes_undo(root, manifest, &undone, &error) < 0) {
		changes_undone_finish(&undone);
		return cli_fail(CLI_FAILED, "%s", error.text);
	}
	puts("The files are as they were.");
	for (size_t i = 0; i < undone.gone.count; i++) {
		printf("%s was removed meanwhile, and stays so.\n", undone.gone.items[i]);
	}
	struct strings copies = {0};
	boot_find_copies(root, &copies);
	for (size_t i = 0; i < copies.count; i++) {
		printf("%s was made since, for a new kernel: remove it.\n", copies.items[i]);
	}
	strings_finish(&copies);
	print_commands(&undone.commands, NULL);
	changes_undone_finish(&undone);
	return CLI_DONE;
}

static int check_root(const char *root) {
	int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return cli_fail(CLI_FAILED, "%s: %s", root, strerror(errno));
	}
	close(fd);
	return CLI_DONE;
}

int cli_setup(struct cli *cli) {
	struct setup setup = {.into = cli_option(cli, "--into")};
	struct error error;
	bool back = cli_flag(cli, "--undo"), really = cli_flag(cli, "--apply");
	setup.into = setup.into ? setup.into : cli->root;
	char *manifest = cli_state_path(cli, "setup.json");
	int status = back ? cli_check_args(cli, 0, 0) : read_setup(cli, &setup);
	status = status == CLI_DONE ? check_root(setup.into) : status;
	if (status == CLI_DONE && back) {
		status = undo(setup.into, manifest);
	} else if (status == CLI_DONE &&
		   setup_generate(&setup.files, setup.into, &setup.options, &error) < 0) {
		status = cli_fail(CLI_FAILED, "%s", error.text);
	} else if (status == CLI_DONE) {
		changes_print(&setup.files.changes, stdout);
		status = really ? apply(&setup, manifest) : CLI_DONE;
		note_built_in(cli, &setup);
		note_problems(cli, &setup);
		for (size_t i = 0; i < setup.files.notes.count && status == CLI_DONE; i++) {
			printf("\n%s\n", setup.files.notes.items[i]);
		}
	}
	free(manifest);
	setup_finish(&setup);
	return status;
}
