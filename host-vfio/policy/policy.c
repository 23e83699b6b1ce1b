#include "policy/policy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <scfg.h>

#include "base/must.h"

struct reader {
	struct policy *policy;
	const char *path;
	struct error *error;
};

static int complain(struct reader *reader, const struct scfg_directive *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int complain(
	struct reader *reader, const struct scfg_directive *at, const char *format, ...) {
	char reason[256];
	va_list args;
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	return error_set(reader->error, "%s, line %d: %s", reader->path, at->lineno, reason);
}

static bool read_target(const char *word, enum policy_target *target) {
	static const char *const words[] = {
		[POLICY_HOST] = "host",
		[POLICY_CONTROLLERS] = "controllers",
		[POLICY_ROUTER] = "router",
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i], word) == 0) {
			*target = (enum policy_target)i;
			return true;
		}
	}
	return false;
}

/* assign CATEGORY... to host|controllers|router */
static int read_assign(struct reader *reader, const struct scfg_directive *directive) {
	size_t count = directive->params_len;
	enum policy_target target;
	if (count < 3 || strcmp(directive->params[count - 2], "to") != 0 ||
		!read_target(directive->params[count - 1], &target)) {
		return complain(reader, directive,
			"expected: assign CATEGORY... to host|controllers|router");
	}
	for (size_t i = 0; i < count - 2; i++) {
		enum device_category category = category_from_name(directive->params[i]);
		if (category == CATEGORY_COUNT) {
			return complain(reader, directive, "there is no category \"%s\"",
				directive->params[i]);
		}
		if (category == CATEGORY_BRIDGE || category == CATEGORY_SYSTEM) {
			return complain(reader, directive, "%s devices are not given away%s",
				directive->params[i],
				category == CATEGORY_SYSTEM ? " as a category, only by name" : "");
		}
		reader->policy->categories[category] = target;
		/* The sound of a graphics card goes where the card goes, unless a line says else.
		 */
		if (category == CATEGORY_GPU) {
			reader->policy->categories[CATEGORY_GPU_AUDIO] = target;
		}
	}
	return 0;
}

/* device DEVICE to host|controllers|router|vm NAME */
static int read_device(struct reader *reader, const struct scfg_directive *directive) {
	struct policy_exception exception = {0};
	char **params = directive->params;
	bool to = directive->params_len >= 3 && strcmp(params[1], "to") == 0;
	if (to && directive->params_len == 4 && strcmp(params[2], "vm") == 0) {
		exception.target = POLICY_VM;
		exception.vm = must_copy(params[3]);
	} else if (!to || directive->params_len != 3 ||
		   !read_target(params[2], &exception.target)) {
		return complain(reader, directive,
			"expected: device DEVICE to host|controllers|router|vm NAME");
	}
	exception.device = must_copy(params[0]);
	struct policy *policy = reader->policy;
	policy->exceptions =
		must_grow(policy->exceptions, policy->exceptions_count, sizeof(exception));
	policy->exceptions[policy->exceptions_count++] = exception;
	return 0;
}

static int read_vm_child(
	struct reader *reader, struct policy_vm *vm, const struct scfg_directive *child) {
	if (strcmp(child->name, "domain") == 0 && child->params_len == 1) {
		free(vm->domain);
		vm->domain = must_copy(child->params[0]);
		return 0;
	}
	if (strcmp(child->name, "devices") == 0 && child->params_len > 0 &&
		vm->role == POLICY_ROLE_CONTROLLER) {
		for (size_t i = 0; i < child->params_len; i++) {
			strings_add(&vm->devices, child->params[i]);
		}
		return 0;
	}
	return complain(reader, child, "\"%s\" has no place here", child->name);
}

/* controller NAME { domain DOMAIN; devices DEVICE... }, router NAME { domain DOMAIN } */
static int read_vm(
	struct reader *reader, const struct scfg_directive *directive, enum policy_role role) {
	struct policy *policy = reader->policy;
	if (directive->params_len != 1) {
		return complain(reader, directive, "expected: %s NAME", directive->name);
	}
	const char *name = directive->params[0];
	if (policy_find_vm(policy, name)) {
		return complain(reader, directive, "there is a VM \"%s\" already", name);
	}
	for (size_t i = 0; i < policy->vms_count; i++) {
		if (role == POLICY_ROLE_ROUTER && policy->vms[i].role == POLICY_ROLE_ROUTER) {
			return complain(reader, directive, "there is a router already");
		}
	}
	policy->vms = must_grow(policy->vms, policy->vms_count, sizeof(*policy->vms));
	struct policy_vm *vm = &policy->vms[policy->vms_count++];
	*vm = (struct policy_vm){.name = must_copy(name), .role = role, .domain = must_copy(name)};
	for (size_t i = 0; i < directive->children.directives_len; i++) {
		if (read_vm_child(reader, vm, &directive->children.directives[i]) < 0) {
			return -1;
		}
	}
	return 0;
}

/* Puts the file's name before a reason that has only the line. */
static int prefix(struct reader *reader, int status) {
	return status < 0 ? error_prefix(reader->error, "%s", reader->path) : 0;
}

static int read_directive(struct reader *reader, const struct scfg_directive *directive) {
	const char *name = directive->name;
	if (strcmp(name, "assign") == 0) {
		return read_assign(reader, directive);
	}
	if (strcmp(name, "device") == 0) {
		return read_device(reader, directive);
	}
	if (strcmp(name, "controller") == 0) {
		return read_vm(reader, directive, POLICY_ROLE_CONTROLLER);
	}
	if (strcmp(name, "router") == 0) {
		return read_vm(reader, directive, POLICY_ROLE_ROUTER);
	}
	if (strcmp(name, "unguard") == 0 && directive->params_len > 0) {
		for (size_t i = 0; i < directive->params_len; i++) {
			strings_add(&reader->policy->unguarded, directive->params[i]);
		}
		return 0;
	}
	struct memory_settings *memory = &reader->policy->memory;
	if (strcmp(name, "memory") == 0) {
		return prefix(reader, memory_settings_read(memory, directive, reader->error));
	}
	if (strcmp(name, "guest") == 0) {
		return prefix(reader, memory_settings_read_guest(memory, directive, reader->error));
	}
	return complain(reader, directive, "\"%s\" is no directive of this file", name);
}

/* What one line says of another can only be checked when all of them are read. */
static int check(struct reader *reader) {
	const struct policy *policy = reader->policy;
	for (size_t i = 0; i < policy->exceptions_count; i++) {
		const struct policy_exception *exception = &policy->exceptions[i];
		if (exception->vm && !policy_find_vm(policy, exception->vm)) {
			return error_set(reader->error,
				"%s: device %s goes to \"%s\", and no VM is "
				"called that",
				reader->path, exception->device, exception->vm);
		}
	}
	return 0;
}

int policy_load(struct policy *policy, const char *path, struct error *error) {
	struct reader reader = {.policy = policy, .path = path, .error = error};
	*policy = (struct policy){0};
	memory_settings_init(&policy->memory);
	FILE *file = fopen(path, "re");
	if (!file) {
		return errno == ENOENT ? 0 : error_set(error, "%s: %s", path, strerror(errno));
	}
	struct scfg_block block = {0};
	int status = scfg_parse_file(&block, file);
	fclose(file);
	if (status < 0) {
		return error_set(
			error, "%s: not valid scfg (a brace or quote is not closed?)", path);
	}
	for (size_t i = 0; status == 0 && i < block.directives_len; i++) {
		status = read_directive(&reader, &block.directives[i]);
	}
	scfg_block_finish(&block);
	if (status == 0) {
		status = check(&reader);
	}
	if (status < 0) {
		policy_finish(policy);
	}
	return status;
}

void policy_finish(struct policy *policy) {
	for (size_t i = 0; i < policy->exceptions_count; i++) {
		free(policy->exceptions[i].device);
		free(policy->exceptions[i].vm);
	}
	for (size_t i = 0; i < policy->vms_count; i++) {
		free(policy->vms[i].name);
		free(policy->vms[i].domain);
		strings_finish(&policy->vms[i].devices);
	}
	free(policy->exceptions);
	free(policy->vms);
	strings_finish(&policy->unguarded);
	memory_settings_finish(&policy->memory);
	*policy = (struct policy){0};
}

const struct policy_vm *policy_find_vm(const struct policy *policy, const char *name) {
	for (size_t i = 0; i < policy->vms_count; i++) {
		if (strcmp(policy->vms[i].name, name) == 0) {
			return &policy->vms[i];
		}
	}
	return NULL;
}
