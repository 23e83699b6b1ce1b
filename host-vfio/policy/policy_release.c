#include "policy/policy_release.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

bool policy_is_reset_method(const char *name) {
	static const char *const names[] = {
		"device_specific", "acpi", "flr", "af_flr", "pm", "bus", "cxl_bus"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], name) == 0) {
			return true;
		}
	}
	return false;
}

/* reset DEVICE METHOD... */
static int read_reset(struct policy_release *release, const struct scfg_file *file,
	const struct scfg_directive *directive) {
	if (directive->params_len < 2) {
		return scfg_file_refuse(file, directive, "expected: reset DEVICE METHOD...");
	}
	release->resets =
		must_grow(release->resets, release->resets_count, sizeof(*release->resets));
	struct policy_reset *reset = &release->resets[release->resets_count++];
	*reset = (struct policy_reset){.device = must_copy(directive->params[0])};
	for (size_t i = 1; i < directive->params_len; i++) {
		if (!policy_is_reset_method(directive->params[i])) {
			return scfg_file_refuse(
				file, directive, "\"%s\" is no reset method", directive->params[i]);
		}
		strings_add(&reset->methods, directive->params[i]);
	}
	return 0;
}

/* suspend ask|never|allowed */
static int read_suspend(struct policy_release *release, const struct scfg_file *file,
	const struct scfg_directive *directive) {
	static const char *const words[] = {
		[POLICY_SUSPEND_ASK] = "ask",
		[POLICY_SUSPEND_NEVER] = "never",
		[POLICY_SUSPEND_ALLOWED] = "allowed",
	};
	for (size_t i = 0; directive->params_len == 1 && i < 3; i++) {
		if (strcmp(words[i], directive->params[0]) == 0) {
			release->suspend = (enum policy_suspend)i;
			return 0;
		}
	}
	return scfg_file_refuse(file, directive, "expected: suspend ask|never|allowed");
}

/* stop-holders [kill] [all] */
static int read_stop(struct policy_release *release, const struct scfg_file *file,
	const struct scfg_directive *directive) {
	bool kill = false, all = false;
	for (size_t i = 0; i < directive->params_len; i++) {
		bool *word = strcmp(directive->params[i], "kill") == 0	? &kill
			     : strcmp(directive->params[i], "all") == 0 ? &all
									: NULL;
		if (!word || *word) {
			return scfg_file_refuse(
				file, directive, "expected: stop-holders [kill] [all]");
		}
		*word = true;
	}
	release->stop_holders = true;
	release->kill = kill;
	release->stop_all = all;
	return 0;
}

int policy_release_read(struct policy_release *release, const struct scfg_file *file,
	const struct scfg_directive *directive) {
	if (directive->params_len > 0) {
		return scfg_file_refuse(file, directive, "expected: release { ... }");
	}
	int status = 0;
	for (size_t i = 0; i < directive->children.directives_len && status == 0; i++) {
		const struct scfg_directive *child = &directive->children.directives[i];
		if (strcmp(child->name, "reset") == 0) {
			status = read_reset(release, file, child);
		} else if (strcmp(child->name, "suspend") == 0) {
			status = read_suspend(release, file, child);
		} else if (strcmp(child->name, "stop-holders") == 0) {
			status = read_stop(release, file, child);
		} else {
			status = scfg_file_refuse(
				file, child, "\"%s\" has no place here", child->name);
		}
	}
	return status;
}

void policy_release_finish(struct policy_release *release) {
	for (size_t i = 0; i < release->resets_count; i++) {
		free(release->resets[i].device);
		strings_finish(&release->resets[i].methods);
	}
	free(release->resets);
	*release = (struct policy_release){0};
}
