#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/doctor.h"
#include "doctor/rom.h"
#include "record/record.h"
#include "tree/machine_file.h"

/*
 * What portal-host reads of strangers: the recorded machine of a bug report, or, when the first
 * byte is that of a ROM's signature, a graphics card's expansion ROM.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *write_out(const struct memory_tree *tree) {
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	if (!file || machine_file_write(tree, file) < 0 || fclose(file) != 0) {
		abort();
	}
	return text;
}

static struct memory_tree *parse(const void *data, size_t size) {
	FILE *file = fmemopen((void *)(uintptr_t)data, size, "r");
	if (!file) {
		return NULL;
	}
	struct error error;
	struct memory_tree *tree = machine_file_parse(file, "input", &error);
	fclose(file);
	return tree;
}

/* What is written reads back as the same. */
static void check_writing(const struct memory_tree *tree) {
	char *once = write_out(tree);
	struct memory_tree *again = parse(once, strlen(once));
	if (!again) {
		abort();
	}
	char *twice = write_out(again);
	if (strcmp(once, twice) != 0) {
		abort();
	}
	tree_destroy(memory_tree_base(again));
	free(twice);
	free(once);
}

/* Everything that reads a machine; and a recording of it is a machine too. */
static void check_reading(struct memory_tree *tree) {
	struct machine machine;
	struct diagnoses diagnoses = {0};
	struct memory_tree *recording = record_machine(memory_tree_base(tree));
	check_writing(recording);
	tree_destroy(memory_tree_base(recording));
	if (machine_read(&machine, memory_tree_base(tree), NULL) == 0) {
		doctor_examine(&diagnoses, &machine, memory_tree_base(tree));
	}
	diagnoses_finish(&diagnoses);
	machine_finish(&machine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct rom_images images;
	if (size > 0 && data[0] == 0x55) {
		rom_parse(data, size, &images);
		return 0;
	}
	struct memory_tree *tree = size > 0 ? parse(data, size) : NULL;
	if (tree) {
		check_writing(tree);
		check_reading(tree);
		tree_destroy(memory_tree_base(tree));
	}
	return 0;
}
