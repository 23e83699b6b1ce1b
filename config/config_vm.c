#include "config_vm.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compositor_config.h"
#include "config_strv.h"

#define HEAP_SIZE_DEFAULT (UINT64_C(256) << 20)
// Two buffers of one 1080p window; less would show nothing useful.
#define HEAP_SIZE_MIN (UINT64_C(16) << 20)
#define IDLE_STOP_MAX (7 * 24 * 60)

bool config_vm_name_valid(const char *name) {
	size_t length =
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
	return name[length] == '\0' && length <= 63 && isalnum((unsigned char)name[0]);
}

bool config_vm_init(struct config_vm *vm, const char *name) {
	*vm = (struct config_vm){
		.name = strdup(name),
		.domain = strdup(name),
		// A user's guests run as the user, who then owns heap and channel; root's are the
		// system's.
		.uri = strdup(geteuid() == 0 ? "qemu:///system" : "qemu:///session"),
		.heap_size = HEAP_SIZE_DEFAULT,
	};
	if (vm->name == NULL || vm->domain == NULL || vm->uri == NULL) {
		config_vm_finish(vm);
		return false;
	}
	return true;
}

void config_vm_finish(struct config_vm *vm) {
	free(vm->name);
	free(vm->domain);
	free(vm->uri);
	free(vm->label);
	free(vm->transport);
	free(vm->heap);
	free(vm->key);
	config_strv_free(vm->command);
	for (size_t i = 0; i < vm->env_len; i++) {
		free(vm->env[i].name);
		free(vm->env[i].value);
	}
	free(vm->env);
	*vm = (struct config_vm){0};
}

static bool read_domain(struct config_vm *vm, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	if (directive->params[0][0] == '\0') {
		return config_fail(error, file, directive,
			"domain is empty; write the name that `virsh list --all` shows");
	}
	return config_param_string(file, directive, 0, &vm->domain, error);
}

static bool read_uri(struct config_vm *vm, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	const char *uri = directive->params[0];
	if (strcmp(uri, "none") == 0) {
		free(vm->uri);
		vm->uri = NULL;
		return true;
	}
	if (strchr(uri, ':') == NULL) {
		return config_fail(error, file, directive,
			"uri: \"%s\" is not a libvirt connection; write qemu:///system, "
			"qemu:///session, or none for a guest that something else starts",
			uri);
	}
	return config_param_string(file, directive, 0, &vm->uri, error);
}

static bool read_label(struct config_vm *vm, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	return config_param_string(file, directive, 0, &vm->label, error) &&
	       config_param_color(file, directive, 1, &vm->color, error);
}

static bool read_transport(struct config_vm *vm, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	vm->transport_line = directive->lineno;
	return config_param_string(file, directive, 0, &vm->transport, error);
}

static bool read_heap(struct config_vm *vm, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	vm->heap_line = directive->lineno;
	return config_param_string(file, directive, 0, &vm->heap, error);
}

static bool read_heap_size(struct config_vm *vm, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	if (!config_param_size(file, directive, 0, &vm->heap_size, error)) {
		return false;
	}
	if (vm->heap_size < HEAP_SIZE_MIN) {
		return config_fail(error, file, directive,
			"heap-size: %s is too small for windows; write 16M or more",
			directive->params[0]);
	}
	return true;
}

static bool read_key(struct config_vm *vm, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	if (directive->params[0][0] != '/') {
		return config_fail(error, file, directive,
			"key: \"%s\" is not an absolute path; begin it with /",
			directive->params[0]);
	}
	return config_param_string(file, directive, 0, &vm->key, error);
}

static bool read_command(struct config_vm *vm, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	for (size_t i = 0; i < directive->params_len; i++) {
		if (!config_strv_add(&vm->command, directive->params[i])) {
			return config_fail(error, file, directive, "out of memory");
		}
	}
	return true;
}

static bool read_env(struct config_vm *vm, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	const char *name = directive->params[0];
	if (name[0] == '\0' || strchr(name, '=') != NULL) {
		return config_fail(error, file, directive,
			"env: \"%s\" is not the name of a variable; write env NAME VALUE", name);
	}
	struct config_vm_env *grown = reallocarray(vm->env, vm->env_len + 1, sizeof(*grown));
	if (grown == NULL) {
		return config_fail(error, file, directive, "out of memory");
	}
	vm->env = grown;
	struct config_vm_env *env = &grown[vm->env_len++];
	*env = (struct config_vm_env){0};
	return config_param_string(file, directive, 0, &env->name, error) &&
	       config_param_string(file, directive, 1, &env->value, error);
}

static bool read_idle_stop(struct config_vm *vm, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	return config_param_int(file, directive, 0, 0, IDLE_STOP_MAX, &vm->idle_stop, error);
}

static const struct key {
	const char *name;
	size_t min, max; /* parameters */
	bool (*read)(struct config_vm *vm, const struct config_file *file,
		const struct scfg_directive *directive, struct config_error *error);
	bool not_local; /* has no meaning for the agent on this machine */
	bool repeats;
} keys[] = {
	{"command", 1, SIZE_MAX, read_command},
	{"domain", 1, 1, read_domain, .not_local = true},
	{"env", 2, 2, read_env, .repeats = true},
	{"heap", 1, 1, read_heap, .not_local = true},
	{"heap-size", 1, 1, read_heap_size},
	{"idle-stop", 1, 1, read_idle_stop, .not_local = true},
	{"key", 1, 1, read_key, .not_local = true},
	{"label", 2, 2, read_label},
	{"transport", 1, 1, read_transport, .not_local = true},
	{"uri", 1, 1, read_uri, .not_local = true},
};

#define KEYS_LEN (sizeof(keys) / sizeof(keys[0]))

static bool fail_unknown(const struct config_vm *vm, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	const char *names[KEYS_LEN + 1] = {NULL};
	for (size_t i = 0; i < KEYS_LEN; i++) {
		names[i] = keys[i].name;
	}
	char where[80];
	snprintf(where, sizeof(where), "vm %s", vm->name);
	return config_fail_unknown(error, file, directive, where, names);
}

/* lines: where each key stood first, 0 when it has not yet. */
static bool read_child(struct config_vm *vm, int lines[KEYS_LEN], const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	size_t i = 0;
	while (i < KEYS_LEN && strcmp(keys[i].name, directive->name) != 0) {
		i++;
	}
	if (i == KEYS_LEN) {
		return fail_unknown(vm, file, directive, error);
	}
	if (lines[i] != 0 && !keys[i].repeats) {
		return config_fail(error, file, directive,
			"%s stands a second time, the first is on line %d; keep one of them",
			directive->name, lines[i]);
	}
	lines[i] = directive->lineno;
	if (directive->children.directives_len != 0) {
		return config_fail(error, file, directive, "%s has no block; remove the braces",
			directive->name);
	}
	if (keys[i].not_local && strcmp(vm->name, CONFIG_VM_LOCAL) == 0) {
		return config_fail(error, file, directive,
			"vm " CONFIG_VM_LOCAL " is the agent on this machine and has no %s; remove "
			"the line, or give the virtual machine another name",
			directive->name);
	}
	return config_need_params(file, directive, keys[i].min, keys[i].max, error) &&
	       keys[i].read(vm, file, directive, error);
}

static bool read_vm(struct config_vm *vm, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	if (!config_need_params(file, directive, 1, 1, error)) {
		return false;
	}
	const char *name = directive->params[0];
	if (!config_vm_name_valid(name)) {
		return config_fail(error, file, directive,
			"\"%s\" cannot be a vm's name; use up to 63 letters, digits, dots, dashes "
			"and "
			"underscores, a letter or digit first",
			name);
	}
	if (!config_vm_init(vm, name)) {
		return config_fail(error, file, directive, "out of memory");
	}
	vm->line = directive->lineno;
	int lines[KEYS_LEN] = {0};
	for (size_t i = 0; i < directive->children.directives_len; i++) {
		if (!read_child(vm, lines, file, &directive->children.directives[i], error)) {
			config_vm_finish(vm);
			return false;
		}
	}
	return true;
}

bool config_vms_add(struct config_vms *vms, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error) {
	struct config_vm *grown = reallocarray(vms->vms, vms->len + 1, sizeof(*grown));
	if (grown == NULL) {
		return config_fail(error, file, directive, "out of memory");
	}
	vms->vms = grown;
	if (!read_vm(&grown[vms->len], file, directive, error)) {
		return false;
	}
	const struct config_vm *other = config_vms_find(vms, grown[vms->len].name);
	vms->len++;
	return other == NULL ||
	       config_fail(error, file, directive,
		       "a second block for vm %s, the first is on line %d; make one of them",
		       other->name, other->line);
}

bool config_vms_read(
	struct config_vms *vms, const struct config_file *file, struct config_error *error) {
	*vms = (struct config_vms){0};
	if (!compositor_config_check_names(file, error)) {
		return false;
	}
	for (size_t i = 0; i < file->root.directives_len; i++) {
		const struct scfg_directive *directive = &file->root.directives[i];
		if (strcmp(directive->name, "vm") == 0 &&
			!config_vms_add(vms, file, directive, error)) {
			config_vms_finish(vms);
			return false;
		}
	}
	return true;
}

void config_vms_finish(struct config_vms *vms) {
	for (size_t i = 0; i < vms->len; i++) {
		config_vm_finish(&vms->vms[i]);
	}
	free(vms->vms);
	*vms = (struct config_vms){0};
}

const struct config_vm *config_vms_find(const struct config_vms *vms, const char *name) {
	for (size_t i = 0; i < vms->len; i++) {
		if (strcmp(vms->vms[i].name, name) == 0) {
			return &vms->vms[i];
		}
	}
	return NULL;
}
