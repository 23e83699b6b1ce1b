#include "policy/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "base/size.h"
#include "scfg/scfg_file.h"

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
static int read_assign(struct policy *policy, const struct scfg_file *file,
	const struct scfg_directive *directive) {
	size_t count = directive->params_len;
	enum policy_target target;
	if (count < 3 || strcmp(directive->params[count - 2], "to") != 0 ||
		!read_target(directive->params[count - 1], &target)) {
		return scfg_file_refuse(
			file, directive, "expected: assign CATEGORY... to host|controllers|router");
	}
	for (size_t i = 0; i < count - 2; i++) {
		enum device_category category = category_from_name(directive->params[i]);
		if (category == CATEGORY_COUNT) {
			return scfg_file_refuse(file, directive, "there is no category \"%s\"",
				directive->params[i]);
		}
		if (category == CATEGORY_BRIDGE || category == CATEGORY_SYSTEM) {
			return scfg_file_refuse(file, directive, "%s devices are not given away%s",
				directive->params[i],
				category == CATEGORY_SYSTEM ? " as a category, only by name" : "");
		}
		policy->categories[category] = target;
		/* The sound of a graphics card goes where the card goes, unless a line says else.
		 */
		if (category == CATEGORY_GPU) {
			policy->categories[CATEGORY_GPU_AUDIO] = target;
		}
	}
	return 0;
}

/* device DEVICE to host|controllers|router|vm NAME */
static int read_device(struct policy *policy, const struct scfg_file *file,
	const struct scfg_directive *directive) {
	struct policy_exception exception = {0};
	char **params = directive->params;
	bool to = directive->params_len >= 3 && strcmp(params[1], "to") == 0;
	if (to && directive->params_len == 4 && strcmp(params[2], "vm") == 0) {
		exception.target = POLICY_VM;
		exception.vm = must_copy(params[3]);
	} else if (!to || directive->params_len != 3 ||
		   !read_target(params[2], &exception.target)) {
		return scfg_file_refuse(file, directive,
			"expected: device DEVICE to host|controllers|router|vm NAME");
	}
	exception.device = must_copy(params[0]);
	policy->exceptions =
		must_grow(policy->exceptions, policy->exceptions_count, sizeof(exception));
	policy->exceptions[policy->exceptions_count++] = exception;
	return 0;
}

static int read_vm_child(
	const struct scfg_file *file, struct policy_vm *vm, const struct scfg_directive *child) {
	if (strcmp(child->name, "domain") == 0 && child->params_len == 1 && child->params[0][0]) {
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
	if (strcmp(child->name, "guests") == 0 && child->params_len > 0 &&
		vm->role == POLICY_ROLE_CONTROLLER) {
		for (size_t i = 0; i < child->params_len; i++) {
			strings_add(&vm->guests, child->params[i]);
		}
		return 0;
	}
	if (strcmp(child->name, "door") == 0 && child->params_len >= 1 && child->params_len <= 2 &&
		vm->role == POLICY_ROLE_CONTROLLER && !vm->door) {
		vm->door = must_copy(child->params[0]);
		vm->door_key = must_copy(child->params_len == 2 ? child->params[1] : NULL);
		return 0;
	}
	if (strcmp(child->name, "memory") == 0 && child->params_len == 1 &&
		size_parse(child->params[0], &vm->memory)) {
		return 0;
	}
	return scfg_file_refuse(file, child, "\"%s\" has no place here", child->name);
}

/* controller NAME { domain DOMAIN; devices DEVICE...; guests GUEST...; door TRANSPORT [KEY];
 * memory SIZE }, router NAME { domain DOMAIN; memory SIZE } */
static int read_vm(struct policy *policy, const struct scfg_file *file,
	const struct scfg_directive *directive, enum policy_role role) {
	if (directive->params_len != 1 || directive->params[0][0] == '\0') {
		return scfg_file_refuse(file, directive, "expected: %s NAME", directive->name);
	}
	const char *name = directive->params[0];
	if (policy_find_vm(policy, name)) {
		return scfg_file_refuse(file, directive, "there is a VM \"%s\" already", name);
	}
	for (size_t i = 0; i < policy->vms_count; i++) {
		if (role == POLICY_ROLE_ROUTER && policy->vms[i].role == POLICY_ROLE_ROUTER) {
			return scfg_file_refuse(file, directive, "there is a router already");
		}
	}
	policy->vms = must_grow(policy->vms, policy->vms_count, sizeof(*policy->vms));
	struct policy_vm *vm = &policy->vms[policy->vms_count++];
	*vm = (struct policy_vm){.name = must_copy(name), .role = role, .domain = must_copy(name)};
	for (size_t i = 0; i < directive->children.directives_len; i++) {
		const struct scfg_directive *child = &directive->children.directives[i];
		bool list =
			strcmp(child->name, "devices") == 0 || strcmp(child->name, "guests") == 0;
		if (!list && scfg_file_is_repeated(&directive->children, child)) {
			return scfg_file_refuse(file, child, "\"%s\" is there twice", child->name);
		}
		if (read_vm_child(file, vm, child) < 0) {
			return -1;
		}
	}
	return 0;
}

static int read_directive(
	void *data, const struct scfg_file *file, const struct scfg_directive *directive) {
	struct policy *policy = data;
	const char *name = directive->name;
	if (strcmp(name, "assign") == 0) {
		return read_assign(policy, file, directive);
	}
	if (strcmp(name, "device") == 0) {
		return read_device(policy, file, directive);
	}
	if (strcmp(name, "controller") == 0) {
		return read_vm(policy, file, directive, POLICY_ROLE_CONTROLLER);
	}
	if (strcmp(name, "router") == 0) {
		return read_vm(policy, file, directive, POLICY_ROLE_ROUTER);
	}
	if (strcmp(name, "unguard") == 0 && directive->params_len > 0) {
		for (size_t i = 0; i < directive->params_len; i++) {
			strings_add(&policy->unguarded, directive->params[i]);
		}
		return 0;
	}
	if (strcmp(name, "config-space") == 0) {
		if (directive->params_len != 1 || policy->config_space) {
			return scfg_file_refuse(
				file, directive, "expected once: config-space GROUP");
		}
		policy->config_space = must_copy(directive->params[0]);
		return 0;
	}
	if (strcmp(name, "release") == 0) {
		return policy_release_read(&policy->release, file, directive);
	}
	if (strcmp(name, "failed-switch") == 0) {
		const char *word = directive->params_len == 1 ? directive->params[0] : "";
		policy->stay_after_failed_switch = strcmp(word, "host") == 0;
		return policy->stay_after_failed_switch || strcmp(word, "back") == 0
			       ? 0
			       : scfg_file_refuse(
					 file, directive, "expected: failed-switch back|host");
	}
	struct memory_settings *memory = &policy->memory;
	if (strcmp(name, "memory") == 0) {
		return memory_settings_read(memory, file, directive);
	}
	if (strcmp(name, "guest") == 0) {
		return memory_settings_read_guest(memory, file, directive);
	}
	return scfg_file_refuse(file, directive, "\"%s\" is no directive of this file", name);
}

static int refuse_domain(const char *path, const char *one, const char *other, const char *domain,
	struct error *error) {
	return error_set(error,
		"%s: %s and %s are both libvirt's domain %s: one of them has to have another "
		"\"domain\"",
		path, one, other, domain);
}

/* What libvirt says of a domain must be said of one VM, or one guest. */
static int check_domains(const struct policy *policy, const char *path, struct error *error) {
	const struct memory_guest *guests = policy->memory.guests;
	for (size_t i = 0; i < policy->vms_count; i++) {
		const struct policy_vm *vm = &policy->vms[i];
		const struct policy_vm *first = policy_find_domain(policy, vm->domain);
		if (first != vm) {
			return refuse_domain(path, first->name, vm->name, vm->domain, error);
		}
	}
	for (size_t i = 0; i < policy->memory.guests_count; i++) {
		const char *domain = policy_guest_domain(policy, guests[i].name);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(policy_guest_domain(policy, guests[k].name), domain) == 0) {
				return refuse_domain(
					path, guests[k].name, guests[i].name, domain, error);
			}
		}
	}
	return 0;
}

/* What one line says of another can only be checked when all of them are read. */
static int check(const struct policy *policy, const char *path, struct error *error) {
	for (size_t i = 0; i < policy->exceptions_count; i++) {
		const struct policy_exception *exception = &policy->exceptions[i];
		if (exception->vm && !policy_find_vm(policy, exception->vm)) {
			return error_set(error,
				"%s: device %s goes to \"%s\", and no VM is "
				"called that",
				path, exception->device, exception->vm);
		}
	}
	return check_domains(policy, path, error);
}

int policy_load(struct policy *policy, const char *path, struct error *error) {
	*policy = (struct policy){0};
	memory_settings_init(&policy->memory);
	policy->absent = access(path, F_OK) < 0 && errno == ENOENT;
	int status = scfg_file_read(path, read_directive, policy, error);
	if (status == 0) {
		status = check(policy, path, error);
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
		strings_finish(&policy->vms[i].guests);
		free(policy->vms[i].door);
		free(policy->vms[i].door_key);
	}
	free(policy->exceptions);
	free(policy->vms);
	strings_finish(&policy->unguarded);
	free(policy->config_space);
	policy_release_finish(&policy->release);
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

const struct policy_vm *policy_find_domain(const struct policy *policy, const char *domain) {
	for (size_t i = 0; i < policy->vms_count; i++) {
		if (strcmp(policy->vms[i].domain, domain) == 0) {
			return &policy->vms[i];
		}
	}
	return NULL;
}

const char *policy_guest_domain(const struct policy *policy, const char *guest) {
	const struct memory_guest *settings = memory_settings_find(&policy->memory, guest);
	return settings && settings->domain ? settings->domain : guest;
}

bool policy_names_domain(const struct policy *policy, const char *domain) {
	bool named = policy_find_domain(policy, domain) != NULL;
	for (size_t i = 0; i < policy->memory.guests_count && !named; i++) {
		const char *guest = policy->memory.guests[i].name;
		named = strcmp(policy_guest_domain(policy, guest), domain) == 0;
	}
	for (size_t i = 0; i < policy->vms_count && !named; i++) {
		const struct strings *guests = &policy->vms[i].guests;
		for (size_t k = 0; k < guests->count && !named; k++) {
			named = strcmp(policy_guest_domain(policy, guests->items[k]), domain) == 0;
		}
	}
	return named;
}
