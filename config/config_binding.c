#include "config_binding.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config_strv.h"

/* What a desktop's user finds without reading anything. */
static const struct {
	const char *keys, *action, *arg;
} defaults[] = {
	{"Super+Return", "spawn", "foot"},
	{"Super+q", "close", NULL},
	{"Alt+F4", "close", NULL},
	{"Alt+Tab", "focus-next", NULL},
	{"Alt+Shift+Tab", "focus-previous", NULL},
	{"Super+f", "fullscreen", NULL},
	{"Super+m", "maximize", NULL},
	{"Super+Up", "maximize", NULL},
	{"Super+h", "minimize", NULL},
	{"Super+Down", "minimize", NULL},
	{"Super+Left", "snap", "left"},
	{"Super+Right", "snap", "right"},
	{"Super+Shift+Left", "move", "left"},
	{"Super+Shift+Right", "move", "right"},
	{"Super+Shift+Up", "move", "up"},
	{"Super+Shift+Down", "move", "down"},
	{"Super+Ctrl+Left", "resize", "narrower"},
	{"Super+Ctrl+Right", "resize", "wider"},
	{"Super+Ctrl+Up", "resize", "shorter"},
	{"Super+Ctrl+Down", "resize", "taller"},
	{"Super+Shift+r", "reload", NULL},
	{"Super+Shift+e", "quit", NULL},
};

uint32_t config_modifier_from_name(const char *name, size_t length) {
	static const struct {
		const char *name;
		uint32_t modifier;
	} names[] = {
		{"Shift", CONFIG_MODIFIER_SHIFT},
		{"Ctrl", CONFIG_MODIFIER_CTRL},
		{"Control", CONFIG_MODIFIER_CTRL},
		{"Alt", CONFIG_MODIFIER_ALT},
		{"Super", CONFIG_MODIFIER_SUPER},
		{"Logo", CONFIG_MODIFIER_SUPER},
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i].name) == length &&
			strncasecmp(names[i].name, name, length) == 0) {
			return names[i].modifier;
		}
	}
	return 0;
}

static void binding_finish(struct config_binding *binding) {
	free(binding->key);
	free(binding->action);
	config_strv_free(binding->args);
}

void config_bindings_clear(struct compositor_config *config) {
	for (size_t i = 0; i < config->bindings_len; i++) {
		binding_finish(&config->bindings[i]);
	}
	free(config->bindings);
	config->bindings = NULL;
	config->bindings_len = 0;
}

/* Splits "Super+Shift+q"; what follows the last plus is the key, and may itself be a plus. Returns
 * the word that is no modifier, or NULL. */
static const char *parse_combination(const char *text, uint32_t *modifiers, const char **key) {
	*modifiers = 0;
	for (;;) {
		const char *plus = strchr(text, '+');
		if (plus == NULL || plus[1] == '\0') {
			*key = text;
			return *text == '\0' ? text : NULL;
		}
		uint32_t modifier = config_modifier_from_name(text, (size_t)(plus - text));
		if (modifier == 0) {
			return text;
		}
		*modifiers |= modifier;
		text = plus + 1;
	}
}

static void remove_binding(struct compositor_config *config, uint32_t modifiers, const char *key) {
	for (size_t i = 0; i < config->bindings_len;) {
		struct config_binding *binding = &config->bindings[i];
		if (binding->modifiers != modifiers || strcasecmp(binding->key, key) != 0) {
			i++;
			continue;
		}
		binding_finish(binding);
		config->bindings_len--;
		memmove(binding, binding + 1, (config->bindings_len - i) * sizeof(*binding));
	}
}

/* A later binding of the same keys takes the place of an earlier one. */
static bool add_binding(struct compositor_config *config, uint32_t modifiers, const char *key,
	const char *action, char *const args[], size_t args_len, int line) {
	struct config_binding binding = {
		.modifiers = modifiers,
		.key = strdup(key),
		.action = strdup(action),
		.line = line,
	};
	bool ok = binding.key != NULL && binding.action != NULL;
	for (size_t i = 0; ok && i < args_len; i++) {
		ok = config_strv_add(&binding.args, args[i]);
	}
	struct config_binding *grown = NULL;
	if (ok) {
		remove_binding(config, modifiers, key);
		grown = reallocarray(config->bindings, config->bindings_len + 1, sizeof(*grown));
	}
	if (grown == NULL) {
		binding_finish(&binding);
		return false;
	}
	config->bindings = grown;
	config->bindings[config->bindings_len++] = binding;
	return true;
}

bool config_bindings_set_defaults(struct compositor_config *config) {
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		uint32_t modifiers;
		const char *key;
		parse_combination(defaults[i].keys, &modifiers, &key);
		char *args[] = {(char *)defaults[i].arg};
		if (!add_binding(config, modifiers, key, defaults[i].action, args,
			    defaults[i].arg != NULL ? 1 : 0, 0)) {
			return false;
		}
	}
	return true;
}

static bool read_combination(const struct config_file *file, const struct scfg_directive *directive,
	uint32_t *modifiers, const char **key, struct config_error *error) {
	const char *wrong = parse_combination(directive->params[0], modifiers, key);
	if (wrong == NULL) {
		return true;
	}
	return config_fail(error, file, directive,
		"%s: \"%s\" is no key combination (Shift, Ctrl, Alt, Super and a key, joined by +)",
		directive->name, directive->params[0]);
}

bool config_binding_read(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	uint32_t modifiers;
	const char *key;
	if (!config_need_params(file, directive, 2, SIZE_MAX, error) ||
		!read_combination(file, directive, &modifiers, &key, error)) {
		return false;
	}
	return add_binding(config, modifiers, key, directive->params[1], directive->params + 2,
		       directive->params_len - 2, directive->lineno) ||
	       config_fail(error, file, directive, "out of memory");
}

bool config_unbind_read(struct compositor_config *config, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	uint32_t modifiers;
	const char *key;
	if (!config_need_params(file, directive, 1, 1, error)) {
		return false;
	}
	if (strcmp(directive->params[0], "all") == 0) {
		config_bindings_clear(config);
		return true;
	}
	if (!read_combination(file, directive, &modifiers, &key, error)) {
		return false;
	}
	remove_binding(config, modifiers, key);
	return true;
}
