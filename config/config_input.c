#include "config_input.h"

#include <stdlib.h>
#include <string.h>

void config_keyboard_finish(struct config_keyboard *keyboard) {
	free(keyboard->rules);
	free(keyboard->model);
	free(keyboard->layout);
	free(keyboard->variant);
	free(keyboard->options);
}

void config_input_finish(struct config_input *input) {
	free(input->pattern);
	free(input->map_to_output);
}

static bool read_repeat(struct config_keyboard *keyboard, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	return config_need_params(file, directive, 2, 2, error) &&
	       config_param_int(file, directive, 0, 0, 1000, &keyboard->repeat_rate, error) &&
	       config_param_int(file, directive, 1, 1, 10000, &keyboard->repeat_delay, error);
}

bool config_keyboard_read(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	struct config_keyboard *keyboard = &config->keyboard;
	keyboard->line = directive->lineno;
	const struct {
		const char *name;
		char **value;
	} names[] = {
		{"rules", &keyboard->rules},
		{"model", &keyboard->model},
		{"layout", &keyboard->layout},
		{"variant", &keyboard->variant},
		{"options", &keyboard->options},
	};
	for (size_t i = 0; i < directive->children.directives_len; i++) {
		const struct scfg_directive *child = &directive->children.directives[i];
		if (strcmp(child->name, "repeat") == 0) {
			if (!read_repeat(keyboard, file, child, error)) {
				return false;
			}
			continue;
		}
		size_t j = 0, count = sizeof(names) / sizeof(names[0]);
		while (j < count && strcmp(names[j].name, child->name) != 0) {
			j++;
		}
		if (j == count) {
			return config_fail(
				error, file, child, "keyboard has no \"%s\"", child->name);
		}
		if (!config_need_params(file, child, 1, 1, error) ||
			!config_param_string(file, child, 0, names[j].value, error)) {
			return false;
		}
	}
	return true;
}

static bool read_switch(const struct config_file *file, const struct scfg_directive *directive,
	int *value, struct config_error *error) {
	bool on;
	if (!config_param_bool(file, directive, 0, &on, error)) {
		return false;
	}
	*value = on;
	return true;
}

static bool read_input_child(struct config_input *input, const struct config_file *file,
	const struct scfg_directive *child, struct config_error *error) {
	static const char *const scroll[] = {"none", "two-finger", "edge", "button"};
	static const char *const click[] = {"none", "areas", "clickfinger"};
	static const char *const profile[] = {"flat", "adaptive"};
	const struct {
		const char *name;
		int *value;
		const char *const *words; /* NULL: on or off */
		size_t count;
	} settings[] = {
		{"tap", &input->tap},
		{"tap-drag", &input->tap_drag},
		{"natural-scroll", &input->natural_scroll},
		{"left-handed", &input->left_handed},
		{"middle-emulation", &input->middle_emulation},
		{"disable-while-typing", &input->disable_while_typing},
		{"enabled", &input->enabled},
		{"scroll-method", &input->scroll_method, scroll, 4},
		{"click-method", &input->click_method, click, 3},
		{"accel-profile", &input->accel_profile, profile, 2},
	};
	if (!config_need_params(file, child, 1, 1, error)) {
		return false;
	}
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (strcmp(settings[i].name, child->name) != 0) {
			continue;
		}
		return settings[i].words == NULL
			       ? read_switch(file, child, settings[i].value, error)
			       : config_param_word(file, child, 0, settings[i].words,
					 settings[i].count, settings[i].value, error);
	}
	if (strcmp(child->name, "accel") == 0) {
		input->has_accel = true;
		return config_param_double(file, child, 0, -1, 1, &input->accel, error);
	}
	if (strcmp(child->name, "map-to-output") == 0) {
		return config_param_string(file, child, 0, &input->map_to_output, error);
	}
	return config_fail(error, file, child, "input has no \"%s\"", child->name);
}

bool config_input_read(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	if (!config_need_params(file, directive, 1, 1, error)) {
		return false;
	}
	struct config_input *grown =
		reallocarray(config->inputs, config->inputs_len + 1, sizeof(*grown));
	if (grown == NULL) {
		return config_fail(error, file, directive, "out of memory");
	}
	config->inputs = grown;
	struct config_input *input = &grown[config->inputs_len++];
	*input = (struct config_input){
		.tap = -1,
		.tap_drag = -1,
		.natural_scroll = -1,
		.left_handed = -1,
		.middle_emulation = -1,
		.disable_while_typing = -1,
		.scroll_method = -1,
		.click_method = -1,
		.accel_profile = -1,
		.enabled = -1,
		.line = directive->lineno,
	};
	if (!config_param_string(file, directive, 0, &input->pattern, error)) {
		return false;
	}
	for (size_t i = 0; i < directive->children.directives_len; i++) {
		if (!read_input_child(input, file, &directive->children.directives[i], error)) {
			return false;
		}
	}
	return true;
}
