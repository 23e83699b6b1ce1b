#include "config_output.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void config_output_finish(struct config_output *output) {
	free(output->name);
}

static bool read_mode(struct config_output *output, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	int first = 0;
	if (!config_need_params(file, directive, 1, 2, error)) {
		return false;
	}
	output->custom_mode = false;
	if (directive->params_len == 2) {
		if (strcmp(directive->params[0], "custom") != 0) {
			return config_fail(error, file, directive,
				"mode: only \"custom\" can stand before WIDTHxHEIGHT");
		}
		output->custom_mode = true;
		first = 1;
	}
	const char *text = directive->params[first];
	int width, height, used = 0;
	double hertz = 0;
	if (sscanf(text, "%5dx%5d%n", &width, &height, &used) != 2 || width < 1 || height < 1 ||
		(text[used] != '\0' && text[used] != '@')) {
		return config_fail(error, file, directive,
			"mode: \"%s\" is not WIDTHxHEIGHT or WIDTHxHEIGHT@HERTZ", text);
	}
	if (text[used] == '@') {
		char *end;
		hertz = strtod(text + used + 1, &end);
		if (end == text + used + 1 || (*end != '\0' && strcmp(end, "Hz") != 0) ||
			!(hertz > 0 && hertz <= 1000)) {
			return config_fail(error, file, directive,
				"mode: \"%s\" has no refresh rate up to 1000 Hz", text);
		}
	}
	output->width = width;
	output->height = height;
	output->refresh = (int)lround(hertz * 1000);
	return true;
}

static bool read_position(struct config_output *output, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	output->has_position = true;
	return config_need_params(file, directive, 2, 2, error) &&
	       config_param_int(file, directive, 0, -65536, 65536, &output->x, error) &&
	       config_param_int(file, directive, 1, -65536, 65536, &output->y, error);
}

static bool read_scale(struct config_output *output, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	return config_need_params(file, directive, 1, 1, error) &&
	       config_param_double(file, directive, 0, 0.25, 10, &output->scale, error);
}

static bool read_transform(struct config_output *output, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	// In the order of wl_output.transform.
	static const char *const words[] = {"normal", "90", "180", "270", "flipped", "flipped-90",
		"flipped-180", "flipped-270"};
	return config_need_params(file, directive, 1, 1, error) &&
	       config_param_word(file, directive, 0, words, 8, &output->transform, error);
}

static bool read_switch(int *value, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	bool on;
	if (!config_need_params(file, directive, 1, 1, error) ||
		!config_param_bool(file, directive, 0, &on, error)) {
		return false;
	}
	*value = on;
	return true;
}

static bool read_child(struct config_output *output, const struct config_file *file,
	const struct scfg_directive *child, struct config_error *error) {
	if (strcmp(child->name, "mode") == 0) {
		return read_mode(output, file, child, error);
	} else if (strcmp(child->name, "position") == 0) {
		return read_position(output, file, child, error);
	} else if (strcmp(child->name, "scale") == 0) {
		return read_scale(output, file, child, error);
	} else if (strcmp(child->name, "transform") == 0) {
		return read_transform(output, file, child, error);
	} else if (strcmp(child->name, "adaptive-sync") == 0) {
		return read_switch(&output->adaptive_sync, file, child, error);
	} else if (strcmp(child->name, "enabled") == 0) {
		return read_switch(&output->enabled, file, child, error);
	}
	return config_fail(error, file, child, "output has no \"%s\"", child->name);
}

bool config_output_read(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	if (!config_need_params(file, directive, 1, 1, error)) {
		return false;
	}
	struct config_output *grown =
		reallocarray(config->outputs, config->outputs_len + 1, sizeof(*grown));
	if (grown == NULL) {
		return config_fail(error, file, directive, "out of memory");
	}
	config->outputs = grown;
	struct config_output *output = &grown[config->outputs_len++];
	*output = (struct config_output){.enabled = -1, .transform = -1, .adaptive_sync = -1};
	if (!config_param_string(file, directive, 0, &output->name, error)) {
		return false;
	}
	for (size_t i = 0; i < directive->children.directives_len; i++) {
		if (!read_child(output, file, &directive->children.directives[i], error)) {
			return false;
		}
	}
	return true;
}
