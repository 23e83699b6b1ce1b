#include "setup/generate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "setup/boot.h"
#include "setup/generator.h"
#include "setup/words.h"

bool generator_has(const struct generator *generator, const char *path) {
	char *whole = must_print("%s%s", generator->root, path);
	bool found = access(whole, F_OK) == 0;
	free(whole);
	return found;
}

char *generator_read(const struct generator *generator, const char *path) {
	return changes_read(generator->root, path);
}

int generator_put(
	const struct generator *generator, const char *path, const char *text, mode_t mode) {
	return changes_add(
		&generator->plan->changes, generator->root, path, text, mode, generator->error);
}

/* What is taken out of somebody's configuration is named beside its diff. */
static void note_cleared(const struct generator *generator) {
	const struct changes *changes = &generator->plan->changes;
	struct strings cleared = {0};
	for (size_t i = 0; i < changes->count; i++) {
		const struct change_file *file = &changes->files[i];
		words_find_cleared(&cleared, file->before ? file->before : "", file->after);
	}
	for (size_t i = 0; i < cleared.count; i++) {
		strings_take(&generator->plan->notes,
			must_print(
				"\"%s\" is taken out of the kernel's command line, since it would "
				"keep the IOMMU off, and no VM could have a device. \"portal-host "
				"setup --undo\" puts it back.",
				cleared.items[i]));
	}
	strings_finish(&cleared);
}

/* The command line comes last: every part may have words for it. */
static int generate_boot(struct generator *generator) {
	struct boot boot = {
		.changes = &generator->plan->changes,
		.root = generator->root,
		.error = generator->error,
	};
	int status = 0;
	if (generator->arguments.count > 0) {
		status = boot_add_arguments(&boot, &generator->arguments);
	}
	if (status == 0 && generator->options->own_entry) {
		status = boot_add_entry(&boot, &generator->arguments, GENERATOR_WORD);
		strings_add(&generator->plan->notes, boot_menu_help(&boot));
	}
	note_cleared(generator);
	boot_add_undo_commands(&boot);
	boot_finish(&boot);
	return status;
}

int setup_generate(struct setup_plan *plan, const char *root, const struct setup_options *options,
	struct error *error) {
	static int (*const parts[])(struct generator *) = {
		generate_devices,
		generate_memory,
		generate_inputs,
		generate_audio,
		generate_boot,
	};
	struct generator generator = {
		.plan = plan,
		.root = strcmp(root, "/") == 0 ? "" : root,
		.options = options,
		.error = error,
	};
	int status = 0;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && status == 0; i++) {
		status = parts[i](&generator);
	}
	strings_finish(&generator.arguments);
	return status;
}

void setup_plan_finish(struct setup_plan *plan) {
	changes_finish(&plan->changes);
	strings_finish(&plan->commands);
	strings_finish(&plan->notes);
}
