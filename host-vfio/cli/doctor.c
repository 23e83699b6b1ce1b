#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/cli.h"
#include "cli/services.h"
#include "cli/terminal.h"
#include "doctor/doctor.h"

/* The largest expansion ROM that PCI allows. */
enum { ROM_MAX = 16 * 1024 * 1024 };

enum { INDENT = 9 };

static int read_rom_file(const char *path, void *data, size_t *size) {
	FILE *file = fopen(path, "re");
	if (!file) {
		return cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
	}
	*size = fread(data, 1, ROM_MAX, file);
	int status = CLI_DONE;
	if (ferror(file)) {
		status = cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
	}
	fclose(file);
	return status;
}

/* sysfs shows a card's ROM between a 1 and a 0 (Documentation/filesystems/sysfs-pci.rst). A driver
 * that uses the card at that moment may be in the way of it. */
static int read_rom_of(struct cli *cli, const char *name, void *data, size_t *size) {
	const struct pci_device *device = cli_device(cli, name);
	if (!device) {
		return CLI_FAILED;
	}
	if (cli->machine_file) {
		return cli_fail(CLI_REFUSED, "a recorded machine has no ROMs");
	}
	if (device->driver && strcmp(device->driver, "vfio-pci") != 0) {
		return cli_fail(CLI_REFUSED,
			"%s is in use by %s: take it first (portal-host take), or give the name "
			"of a file with a copy of its ROM",
			device->name, device->driver);
	}
	ssize_t got = -1;
	if (tree_write(cli->tree, "1", "%s/rom", device->path) == 0) {
		got = tree_bytes(cli->tree, data, ROM_MAX, "%s/rom", device->path);
		int saved = errno;
		tree_write(cli->tree, "0", "%s/rom", device->path);
		errno = saved;
	}
	if (got < 0) {
		return cli_fail(CLI_FAILED, "the ROM of %s cannot be read: %s", device->name,
			strerror(errno));
	}
	*size = (size_t)got;
	return CLI_DONE;
}

static int examine_rom(struct cli *cli, struct diagnoses *diagnoses, const char *what) {
	void *data = must_alloc(ROM_MAX, 1);
	struct pci_address address;
	size_t size = 0;
	bool named = pci_address_parse(what, &address) || known_find(&cli->known, what);
	int status = named ? read_rom_of(cli, what, data, &size) : read_rom_file(what, data, &size);
	if (status == CLI_DONE) {
		doctor_examine_rom(diagnoses, what, data, size);
	}
	free(data);
	return status;
}

static sd_json_variant *diagnoses_json(const struct diagnoses *diagnoses) {
	sd_json_variant *array = json_array();
	for (size_t i = 0; i < diagnoses->count; i++) {
		const struct diagnosis *diagnosis = &diagnoses->items[i];
		sd_json_variant *entry = NULL;
		json_set_string(&entry, "grade", diagnosis_grade_name(diagnosis->grade));
		json_set_string(&entry, "id", diagnosis->id);
		json_set_string(&entry, "finding", diagnosis->finding);
		json_set_string(&entry, "remedy", diagnosis->remedy);
		json_append(&array, entry);
	}
	return array;
}

static void print_diagnoses(const struct diagnoses *diagnoses) {
	size_t width = terminal_paragraph(stdout);
	for (size_t i = 0; i < diagnoses->count; i++) {
		const struct diagnosis *diagnosis = &diagnoses->items[i];
		printf("%-8s ", diagnosis_grade_name(diagnosis->grade));
		terminal_wrap(diagnosis->finding, INDENT, width, stdout);
		if (diagnosis->remedy) {
			printf("%*s> ", INDENT, "");
			terminal_wrap(diagnosis->remedy, INDENT + 2, width, stdout);
		}
	}
}

int cli_doctor(struct cli *cli) {
	struct diagnoses diagnoses = {0};
	const char *rom = cli_option(cli, "--rom");
	int status = cli_check_args(cli, 0, 0);
	if (status == CLI_DONE && rom) {
		status = examine_rom(cli, &diagnoses, rom);
	}
	if (status == CLI_DONE) {
		doctor_examine(&diagnoses, &cli->machine, cli->tree);
		/* Another machine's programs cannot be asked. */
		if (!cli->machine_file && strcmp(cli->root, "/") == 0) {
			struct services services;
			cli_read_services(&services);
			services_examine(&diagnoses, &services);
		}
		if (cli->json) {
			cli_print_json(diagnoses_json(&diagnoses));
		} else {
			print_diagnoses(&diagnoses);
		}
	}
	for (size_t i = 0; i < diagnoses.count && status == CLI_DONE; i++) {
		status = diagnoses.items[i].grade == DIAGNOSIS_PROBLEM ? CLI_REFUSED : CLI_DONE;
	}
	diagnoses_finish(&diagnoses);
	return status;
}
