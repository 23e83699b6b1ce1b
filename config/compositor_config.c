#include "compositor_config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "config_binding.h"
#include "config_input.h"
#include "config_output.h"
#include "config_strv.h"

struct compositor_config *compositor_config_create(void) {
	struct compositor_config *config = calloc(1, sizeof(*config));
	if (config == NULL) {
		return NULL;
	}
	config->theme = (struct config_theme){
		.border_width = 4,
		.popup_border_width = 2,
		.fullscreen_border_width = 3,
		.font = strdup("Sans 10"),
		.background = 0x23262b,
		.local = 0x565c66,
		.unknown = 0xff00c8,
		.bar_focused = 0x3a3f47,
		.bar_unfocused = 0x2a2d33,
		.text_focused = 0xf2f3f5,
		.text_unfocused = 0x9aa0a8,
	};
	config->focus_new = CONFIG_FOCUS_NEW_UNLESS_TYPING;
	config->typing_time = 1000;
	config->raise_on_focus = true;
	config->drag_modifiers = CONFIG_MODIFIER_SUPER | CONFIG_MODIFIER_ALT;
	config->keyboard = (struct config_keyboard){.repeat_rate = 25, .repeat_delay = 600};
	if (config->theme.font == NULL || !config_bindings_set_defaults(config)) {
		compositor_config_destroy(config);
		return NULL;
	}
	return config;
}

void compositor_config_destroy(struct compositor_config *config) {
	if (config == NULL) {
		return;
	}
	free(config->theme.font);
	free(config->theme.cursor_theme);
	config_keyboard_finish(&config->keyboard);
	config_bindings_clear(config);
	for (size_t i = 0; i < config->inputs_len; i++) {
		config_input_finish(&config->inputs[i]);
	}
	free(config->inputs);
	for (size_t i = 0; i < config->outputs_len; i++) {
		config_output_finish(&config->outputs[i]);
	}
	free(config->outputs);
	config_vms_finish(&config->vms);
	config_strv_free(config->startup);
	free(config);
}

const struct config_vm *compositor_config_label(
	const struct compositor_config *config, const char *vm) {
	const struct config_vm *found = config_vms_find(&config->vms, vm);
	return found != NULL && found->label != NULL ? found : NULL;
}

static bool read_focus(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	static const char *const words[] = {"click", "pointer"};
	int word;
	if (!config_need_params(file, directive, 1, 1, error) ||
		!config_param_word(file, directive, 0, words, 2, &word, error)) {
		return false;
	}
	config->focus = word;
	return true;
}

static bool read_focus_new(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	static const char *const words[] = {"always", "unless-typing", "same-label", "never"};
	int word;
	if (!config_need_params(file, directive, 1, 2, error) ||
		!config_param_word(file, directive, 0, words, 4, &word, error)) {
		return false;
	}
	config->focus_new = word;
	if (directive->params_len == 1) {
		return true;
	}
	if (word != CONFIG_FOCUS_NEW_UNLESS_TYPING) {
		return config_fail(error, file, directive,
			"focus-new: a time only goes with "
			"unless-typing");
	}
	return config_param_int(file, directive, 1, 1, 3600 * 1000, &config->typing_time, error);
}

static bool read_fullscreen_label(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	static const char *const words[] = {"border", "none"};
	int word;
	if (!config_need_params(file, directive, 1, 1, error) ||
		!config_param_word(file, directive, 0, words, 2, &word, error)) {
		return false;
	}
	config->fullscreen_label = word;
	return true;
}

static bool read_raise_on_focus(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	return config_need_params(file, directive, 1, 1, error) &&
	       config_param_bool(file, directive, 0, &config->raise_on_focus, error);
}

static bool read_drag_modifiers(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	if (!config_need_params(file, directive, 1, SIZE_MAX, error)) {
		return false;
	}
	config->drag_modifiers = 0;
	for (size_t i = 0; i < directive->params_len; i++) {
		const char *name = directive->params[i];
		uint32_t modifier = config_modifier_from_name(name, strlen(name));
		if (modifier == 0 && strcmp(name, "none") != 0) {
			return config_fail(error, file, directive, "%s: no modifier \"%s\"",
				directive->name, name);
		}
		config->drag_modifiers |= modifier;
	}
	return true;
}

static bool read_cursor(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	struct config_theme *theme = &config->theme;
	return config_need_params(file, directive, 1, 2, error) &&
	       config_param_string(file, directive, 0, &theme->cursor_theme, error) &&
	       (directive->params_len < 2 ||
		       config_param_int(file, directive, 1, 8, 256, &theme->cursor_size, error));
}

static bool read_services_environment(struct compositor_config *config,
	const struct config_file *file, const struct scfg_directive *directive,
	struct config_error *error) {
	static const char *const words[] = {"console", "always", "never"};
	int word;
	if (!config_need_params(file, directive, 1, 1, error) ||
		!config_param_word(file, directive, 0, words, 3, &word, error)) {
		return false;
	}
	config->services_environment = word;
	return true;
}

static bool read_startup(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	return config_need_params(file, directive, 1, 1, error) &&
	       (config_strv_add(&config->startup, directive->params[0]) ||
		       config_fail(error, file, directive, "out of memory"));
}

static bool read_theme_color(uint32_t *color, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	return config_need_params(file, directive, 1, 1, error) &&
	       config_param_color(file, directive, 0, color, error);
}

static bool read_theme_size(int *size, int max, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	// A border is what tells windows apart: it can be thin, but not gone.
	return config_need_params(file, directive, 1, 1, error) &&
	       config_param_int(file, directive, 0, 1, max, size, error);
}

static bool read_theme(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	struct config_theme *theme = &config->theme;
	const struct {
		const char *name;
		uint32_t *color;
	} colors[] = {
		{"background", &theme->background},
		{"local", &theme->local},
		{"unknown", &theme->unknown},
		{"bar-focused", &theme->bar_focused},
		{"bar-unfocused", &theme->bar_unfocused},
		{"text-focused", &theme->text_focused},
		{"text-unfocused", &theme->text_unfocused},
	};
	const struct {
		const char *name;
		int *size;
	} sizes[] = {
		{"border-width", &theme->border_width},
		{"popup-border-width", &theme->popup_border_width},
		{"fullscreen-border-width", &theme->fullscreen_border_width},
	};
	for (size_t i = 0; i < directive->children.directives_len; i++) {
		const struct scfg_directive *child = &directive->children.directives[i];
		bool known = false, ok = true;
		for (size_t j = 0; j < sizeof(colors) / sizeof(colors[0]); j++) {
			if (strcmp(child->name, colors[j].name) == 0) {
				known = true;
				ok = read_theme_color(colors[j].color, file, child, error);
			}
		}
		for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
			if (strcmp(child->name, sizes[j].name) == 0) {
				known = true;
				ok = read_theme_size(sizes[j].size, 32, file, child, error);
			}
		}
		if (strcmp(child->name, "font") == 0) {
			known = true;
			ok = config_need_params(file, child, 1, 1, error) &&
			     config_param_string(file, child, 0, &theme->font, error);
		}
		if (!known) {
			return config_fail(error, file, child, "theme has no \"%s\"", child->name);
		}
		if (!ok) {
			return false;
		}
	}
	return true;
}

/* Of a VM the compositor needs the label alone, but a slip in the rest is told as well. */
static bool read_vm(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	return config_vms_add(&config->vms, file, directive, error);
}

static const struct reader {
	const char *name;
	bool (*read)(struct compositor_config *config, const struct config_file *file,
		const struct scfg_directive *directive, struct config_error *error);
	enum { NO_BLOCK, BLOCK, NAMED_BLOCK } block;
} readers[] = {
	{"bind", config_binding_read},
	{"cursor", read_cursor},
	{"drag-modifiers", read_drag_modifiers},
	{"focus", read_focus},
	{"focus-new", read_focus_new},
	{"fullscreen-label", read_fullscreen_label},
	{"input", config_input_read, NAMED_BLOCK},
	{"keyboard", config_keyboard_read, BLOCK},
	{"output", config_output_read, NAMED_BLOCK},
	{"raise-on-focus", read_raise_on_focus},
	{"services-environment", read_services_environment},
	{"startup", read_startup},
	{"theme", read_theme, BLOCK},
	{"unbind", config_unbind_read},
	{"vm", read_vm, NAMED_BLOCK},
};

#define READERS_LEN (sizeof(readers) / sizeof(readers[0]))

static const struct reader *find_reader(const char *name) {
	for (size_t i = 0; i < READERS_LEN; i++) {
		if (strcmp(readers[i].name, name) == 0) {
			return &readers[i];
		}
	}
	return NULL;
}

/* What nobody reads is a mistake, and not left out in silence: a block where there is none, and
 * words before the brace of one that has no name. */
static bool check_block(const struct reader *reader, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	if (reader->block == NO_BLOCK && directive->children.directives_len != 0) {
		return config_fail(error, file, directive, "%s has no block; remove the braces",
			directive->name);
	}
	if (reader->block == BLOCK && directive->params_len != 0) {
		return config_fail(error, file, directive,
			"%s: \"%s\" stands outside of the block; write %s { ... }", directive->name,
			directive->params[0], directive->name);
	}
	return true;
}

bool compositor_config_check_names(const struct config_file *file, struct config_error *error) {
	if (!config_file_check_text(file, error)) {
		return false;
	}
	for (size_t i = 0; i < file->root.directives_len; i++) {
		const struct scfg_directive *directive = &file->root.directives[i];
		const struct reader *reader = find_reader(directive->name);
		if (reader != NULL) {
			if (!check_block(reader, file, directive, error)) {
				return false;
			}
			continue;
		}
		const char *names[READERS_LEN + 1] = {NULL};
		for (size_t j = 0; j < READERS_LEN; j++) {
			names[j] = readers[j].name;
		}
		return config_fail_unknown(error, file, directive, "the file", names);
	}
	return true;
}

bool compositor_config_read(struct compositor_config *config, const struct config_file *file,
	struct config_error *error) {
	if (!compositor_config_check_names(file, error)) {
		return false;
	}
	for (size_t i = 0; i < file->root.directives_len; i++) {
		const struct scfg_directive *directive = &file->root.directives[i];
		const struct reader *reader = find_reader(directive->name);
		assert(reader != NULL); // the names have been checked
		if (!reader->read(config, file, directive, error)) {
			return false;
		}
	}
	return true;
}
