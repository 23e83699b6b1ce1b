#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/cli.h"
#include "doctor/doctor.h"

/* The largest expansion ROM that PCI allows. */
enum { ROM_MAX = 16 * 1024 * 1024 };

static int examine_rom(struct diagnoses *diagnoses, const char *path) {
	FILE *file = fopen(path, "re");
	if (!file) {
		return cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
	}
	void *data = must_alloc(ROM_MAX, 1);
	size_t size = fread(data, 1, ROM_MAX, file);
	int status = CLI_DONE;
	if (ferror(file)) {
		status = cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
	} else {
		doctor_examine_rom(diagnoses, path, data, size);
	}
	free(data);
	fclose(file);
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
	for (size_t i = 0; i < diagnoses->count; i++) {
		const struct diagnosis *diagnosis = &diagnoses->items[i];
		printf("%-8s %s\n", diagnosis_grade_name(diagnosis->grade), diagnosis->finding);
		if (diagnosis->remedy) {
			printf("         %s\n", diagnosis->remedy);
		}
	}
}

int cli_doctor(struct cli *cli) {
	struct diagnoses diagnoses = {0};
	const char *rom = cli_option(cli, "--rom");
	int status = cli_check_args(cli, 0, 0);
	if (status == CLI_DONE && rom) {
		status = examine_rom(&diagnoses, rom);
	}
	if (status == CLI_DONE) {
		doctor_examine(&diagnoses, &cli->machine, cli->tree);
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
