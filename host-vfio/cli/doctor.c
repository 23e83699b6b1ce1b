#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/cli.h"
#include "cli/services.h"
#include "cli/terminal.h"
#include "doctor/doctor.h"
#include "policy/decide.h"

enum { INDENT = 9 };

static int read_card(struct cli *cli, const struct pci_device *device, struct rom_copy *copy) {
	struct error error;
	if (cli->machine_file) {
		return cli_fail(CLI_REFUSED, "a recorded machine has no ROMs");
	}
	if (!rom_copy_is_free(device)) {
		return cli_fail(CLI_REFUSED,
			"%s is in use by %s: take it first (portal-host take), or give the name "
			"of a file with a copy of its ROM",
			device->name, device->driver);
	}
	return rom_copy_read_card(copy, cli->tree, device, &error) < 0
		       ? cli_fail(CLI_FAILED, "%s", error.text)
		       : CLI_DONE;
}

static int examine_rom(struct cli *cli, struct diagnoses *diagnoses, const char *what) {
	struct rom_copy copy = {0};
	struct pci_address address;
	struct error error;
	const struct pci_device *device = NULL;
	int status = CLI_DONE;
	if (pci_address_parse(what, &address) || known_find(&cli->known, what)) {
		device = cli_device(cli, what);
		status = device ? read_card(cli, device, &copy) : CLI_FAILED;
	} else if (rom_copy_read_file(&copy, what, &error) < 0) {
		status = cli_fail(CLI_FAILED, "%s", error.text);
	}
	if (status == CLI_DONE) {
		doctor_examine_rom(diagnoses, device, what, &copy);
	}
	rom_copy_finish(&copy);
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

/* What the policy names in vain, or by a number that another card may get. */
static void examine_policy(struct cli *cli, struct diagnoses *diagnoses) {
	static const struct strings none;
	struct decisions decisions;
	struct policy policy;
	struct error error;
	if (policy_load(&policy, cli->config, &error) < 0) {
		diagnoses_add(diagnoses, DIAGNOSIS_PROBLEM, "policy",
			must_print("The policy cannot be read: %s.", error.text),
			must_copy("Mend the line (portal-host(5))."));
		return;
	}
	decide(&decisions, &policy, &cli->known, &cli->machine, &none);
	for (size_t i = 0; i < decisions.warnings.count; i++) {
		diagnoses_add(diagnoses, DIAGNOSIS_HINT, "policy",
			must_print("In the policy: %s.", decisions.warnings.items[i]), NULL);
	}
	decisions_finish(&decisions);
	policy_finish(&policy);
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
		examine_policy(cli, &diagnoses);
		/* Another machine's programs cannot be asked. */
		if (!cli->machine_file && strcmp(cli->root, "/") == 0) {
			struct services services;
			cli_read_services(&services, cli);
			services_examine(&diagnoses, &services);
			cli_services_finish(&services);
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
