#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth.h"
#include "domain/dac.h"
#include "domain/diff.h"
#include "domain/document.h"
#include "domain/manager.h"
#include "domain/probe.h"
#include "heap.h"
#include "heap/guest_heap.h"
#include "host_door.h"
#include "launch.h"
#include "paths.h"
#include "say.h"
#include "status.h"
#include "transport.h"
#include "vm_block.h"

#define MEMORY_DEFAULT (UINT64_C(1) << 30)
#define CPUS_DEFAULT 2

struct definition {
	const struct run_options *options;
	const struct settings *settings;
	const struct config_vm *vm; /* the block, or `fresh` when there is none yet */
	struct config_vm fresh;
	struct domain_spec spec;
	char *heap_path, *key, *control_path, *own_path;
	struct vm_block block;
	struct portal_heap_address heap;
	struct portal_transport_address transport;
	struct domain_manager *manager;
	sd_event *loop;
	bool exists;
	char *read; /* the definition that is there, as libvirt gave it out */
};

/* Of the heap's and the channel's place the block in portal.scfg has the say. */
static int choose_heap(struct definition *definition) {
	struct domain_spec *spec = &definition->spec;
	const struct config_vm *vm = definition->vm;
	if (definition->exists && spec->heap == DOMAIN_HEAP_UNSET && spec->heap_size == 0) {
		return RUN_OK;
	}
	if (spec->heap == DOMAIN_HEAP_UNSET) {
		spec->heap = DOMAIN_HEAP_NVDIMM;
	}
	if (spec->heap_size == 0) {
		spec->heap_size = vm->heap_size;
	}
	if (vm->heap != NULL && portal_heap_parse(&definition->heap, vm->heap, NULL) == 0 &&
		definition->heap.kind == PORTAL_HEAP_FILE) {
		spec->heap_path = definition->heap.path;
		return RUN_OK;
	}
	int length = geteuid() == 0
			     ? asprintf(&definition->heap_path, "/dev/shm/portal-%s", vm->name)
			     : asprintf(&definition->heap_path, "/dev/shm/portal-%u-%s",
				       (unsigned)geteuid(), vm->name);
	if (length < 0) {
		definition->heap_path = NULL;
		return say_failure(RUN_SYSTEM, "%s", strerror(ENOMEM));
	}
	spec->heap_path = definition->heap_path;
	return RUN_OK;
}

static int choose_vsock_socket(struct definition *definition) {
	struct domain_spec *spec = &definition->spec;
	const char *configured = definition->transport.path;
	size_t length = strlen(configured), suffix = strlen(DOMAIN_VSOCK_SUFFIX);
	if (definition->transport.kind == PORTAL_TRANSPORT_VSOCK_UNIX && length > suffix &&
		strcmp(configured + length - suffix, DOMAIN_VSOCK_SUFFIX) == 0) {
		definition->control_path = strndup(configured, length - suffix);
	} else {
		const char *runtime = getenv("XDG_RUNTIME_DIR");
		if (asprintf(&definition->control_path, "%s/portal/%s.vhost",
			    runtime != NULL ? runtime : "/run", definition->vm->name) < 0) {
			definition->control_path = NULL;
		}
	}
	if (definition->control_path == NULL) {
		return say_failure(RUN_SYSTEM, "%s", strerror(ENOMEM));
	}
	if (spec->cid == 0) {
		return say_failure(RUN_USAGE,
			"--control vhost-user-vsock needs --cid: a number from 3 on that no other "
			"guest has");
	}
	spec->control_path = definition->control_path;
	return RUN_OK;
}

static int choose_control(struct definition *definition) {
	struct domain_spec *spec = &definition->spec;
	const struct config_vm *vm = definition->vm;
	struct portal_transport_address *transport = &definition->transport;
	bool configured = vm->transport != NULL &&
			  portal_transport_parse(transport, vm->transport, NULL) == 0;
	if (definition->exists && spec->control == DOMAIN_CONTROL_UNSET) {
		return RUN_OK;
	}
	if (spec->control == DOMAIN_CONTROL_UNSET && configured) {
		spec->control = transport->kind == PORTAL_TRANSPORT_VSOCK ? DOMAIN_CONTROL_VSOCK
				: transport->kind == PORTAL_TRANSPORT_VSOCK_UNIX
					? DOMAIN_CONTROL_VHOST_USER_VSOCK
					: DOMAIN_CONTROL_VIRTIO_SERIAL;
	}
	switch (spec->control) {
	case DOMAIN_CONTROL_VSOCK:
		if (spec->cid == 0 && configured && transport->kind == PORTAL_TRANSPORT_VSOCK) {
			spec->cid = transport->cid;
		}
		return RUN_OK;
	case DOMAIN_CONTROL_VHOST_USER_VSOCK:
		return choose_vsock_socket(definition);
	default:
		spec->control = DOMAIN_CONTROL_VIRTIO_SERIAL;
		if (configured && transport->kind == PORTAL_TRANSPORT_VIRTIO_SERIAL) {
			spec->control_path = transport->path;
		}
		return RUN_OK;
	}
}

/* A session has sound when its PipeWire listens. */
static void choose_sound(struct definition *definition) {
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char *socket;
	if (!definition->options->sound || definition->exists || runtime == NULL ||
		asprintf(&socket, "%s/pipewire-0", runtime) < 0) {
		return;
	}
	if (access(socket, F_OK) == 0) {
		definition->spec.sound = DOMAIN_SOUND_PIPEWIRE;
		definition->spec.pipewire_directory = runtime;
	}
	free(socket);
}

static int choose_key(struct definition *definition) {
	const struct config_vm *vm = definition->vm;
	definition->key = vm->key != NULL ? strdup(vm->key) : settings_key_path(vm->name);
	if (definition->key == NULL) {
		return say_failure(RUN_SYSTEM, "%s", strerror(ENOMEM));
	}
	definition->spec.key = definition->key;
	return RUN_OK;
}

static void choose_virt(struct definition *definition) {
	const struct run_options *options = definition->options;
	if (options->virt != RUN_VIRT_AUTO) {
		definition->spec.virt =
			options->virt == RUN_VIRT_KVM ? DOMAIN_VIRT_KVM : DOMAIN_VIRT_QEMU;
		return;
	}
	if (definition->exists) {
		return;
	}
	struct error why;
	say_progress("trying KVM…");
	bool works = domain_probe_kvm(definition->spec.kernel, &why);
	say_progress_done();
	definition->spec.virt = works ? DOMAIN_VIRT_KVM : DOMAIN_VIRT_QEMU;
	if (!works) {
		say("%s: the processor will be emulated, which is slow (--virt kvm insists)",
			why.text);
	}
}

/* libvirt's own user could open neither heap nor key of this one. The group remains libvirt's: its
 * directories, which QEMU has to pass, may be closed to all others, as Debian's are. */
static void choose_user(struct definition *definition) {
	struct domain_spec *spec = &definition->spec;
	struct domain_dac dac;
	struct error ignored;
	spec->as_user = geteuid() != 0 && strncmp(definition->vm->uri, "qemu:///system", 14) == 0;
	spec->uid = geteuid();
	spec->gid = getegid();
	if (spec->as_user &&
		domain_manager_get_dac(
			definition->manager, "<domain type='qemu'/>", &dac, &ignored) == 0 &&
		dac.known) {
		spec->gid = dac.group;
	}
}

static int choose(struct definition *definition) {
	struct domain_spec *spec = &definition->spec;
	*spec = definition->options->spec;
	spec->guest = definition->vm->name;
	spec->domain = definition->vm->domain;
	if (!definition->exists) {
		if (spec->image == NULL && spec->kernel == NULL) {
			return say_failure(RUN_USAGE, "a new guest needs --image or --kernel");
		}
		spec->memory = spec->memory != 0 ? spec->memory : MEMORY_DEFAULT;
		spec->cpus = spec->cpus != 0 ? spec->cpus : CPUS_DEFAULT;
		if (spec->network == DOMAIN_NETWORK_UNSET) {
			spec->network = DOMAIN_NETWORK_PASST;
		}
	}
	const char *files[] = {spec->image, spec->kernel, spec->initrd};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (files[i] != NULL && access(files[i], R_OK) < 0) {
			return say_failure(RUN_USAGE, "%s: %s", files[i], strerror(errno));
		}
	}
	int status = choose_heap(definition);
	if (status == RUN_OK) {
		status = choose_control(definition);
	}
	if (status == RUN_OK) {
		status = choose_key(definition);
	}
	if (status == RUN_OK) {
		choose_sound(definition);
		choose_virt(definition);
		choose_user(definition);
	}
	return status;
}

static int refused(const struct definition *definition, int failure, const struct error *error) {
	return failure == DOMAIN_FAILURE_CONNECT
		       ? say_failure(RUN_NO_LIBVIRT, "libvirt does not answer at %s: %s",
				 definition->vm->uri, error->text)
		       : say_failure(RUN_DOMAIN, "cannot define %s: %s", definition->vm->name,
				 error->text);
}

/* The definition as it stands, or the bare beginning of a new one. */
static int load_document(struct definition *definition, xmlDoc **document) {
	struct error error = {0};
	if (!definition->exists) {
		*document = domain_document_create(definition->vm->domain);
		return RUN_OK;
	}
	int failure = domain_manager_get_definition(
		definition->manager, definition->vm->domain, &definition->read, &error);
	if (failure < 0) {
		return refused(definition, failure, &error);
	}
	*document = domain_document_parse(definition->read, &error);
	return *document != NULL ? RUN_OK : refused(definition, DOMAIN_FAILURE_REFUSED, &error);
}

static int make_key(const char *path) {
	if (access(path, F_OK) == 0) {
		return RUN_OK;
	}
	if (!paths_make_directories(path) || portal_auth_create_key(path) < 0) {
		return say_failure(RUN_KEY, "%s: %s", path, strerror(errno));
	}
	say("made the guest's key %s", path);
	return RUN_OK;
}

/* The block by which the next portal-run finds the guest: where it is going to be, before anything
 * is changed. */
static int prepare_block(struct definition *definition) {
	const struct settings *settings = definition->settings;
	if (definition->vm != &definition->fresh) {
		return RUN_OK;
	}
	definition->own_path = settings_own_path();
	if (definition->own_path == NULL) {
		return say_failure(RUN_SYSTEM, "%s", strerror(ENOMEM));
	}
	return vm_block_init(&definition->block, settings->exists ? settings->path : NULL,
		definition->own_path, definition->options->config != NULL);
}

static int add_block(const struct definition *definition) {
	if (definition->vm != &definition->fresh) {
		return RUN_OK;
	}
	return vm_block_add(&definition->block, definition->vm->name);
}

/* QEMU takes no file that is shorter than the heap is defined, whoever starts the domain then. One
 * that runs has it open, and its next start by portal-run sees to it. */
static int fit_heap(struct definition *definition) {
	struct error error = {0};
	enum domain_state state;
	const char *domain = definition->vm->domain;
	if (definition->spec.heap == DOMAIN_HEAP_UNSET ||
		domain_manager_get_state(definition->manager, domain, &state, &error) < 0 ||
		state != DOMAIN_OFF ||
		guest_heap_fit_file(definition->manager, domain, &error) == 0) {
		return RUN_OK;
	}
	return say_failure(RUN_HEAP, "%s is defined, but %s", definition->vm->name, error.text);
}

static int commit(struct definition *definition, const char *before, const char *after) {
	const struct run_options *options = definition->options;
	if (definition->exists) {
		char *diff = diff_lines(before, after);
		fputs(diff, stdout);
		bool same = diff[0] == '\0';
		free(diff);
		if (same) {
			say("%s is defined like this already", definition->vm->name);
			int status = options->dry_run ? RUN_OK : prepare_block(definition);
			return status != RUN_OK || options->dry_run ? status
								    : add_block(definition);
		}
		if (!options->replace && !options->dry_run) {
			return say_failure(RUN_EXISTS,
				"libvirt has a domain %s already, and nothing was changed; "
				"--replace "
				"makes the changes above",
				definition->vm->domain);
		}
	} else if (options->dry_run) {
		fputs(after, stdout);
	}
	if (options->dry_run) {
		return RUN_OK;
	}
	int status = prepare_block(definition);
	if (status == RUN_OK) {
		status = make_key(definition->key);
	}
	if (status != RUN_OK) {
		return status;
	}
	struct error error = {0};
	int failure = definition->exists
			      ? domain_manager_redefine(definition->manager, definition->vm->domain,
					definition->read, after, &error)
			      : domain_manager_define(definition->manager, after, &error);
	if (failure < 0) {
		return refused(definition, failure, &error);
	}
	status = fit_heap(definition);
	if (status != RUN_OK) {
		return status;
	}
	say("%s domain %s (%s)", definition->exists ? "changed" : "defined", definition->vm->domain,
		definition->spec.virt == DOMAIN_VIRT_KVM    ? "KVM"
		: definition->spec.virt == DOMAIN_VIRT_QEMU ? "emulated processor"
							    : "its processor as before");
	return add_block(definition);
}

static int define(struct definition *definition) {
	struct error error = {0};
	definition->manager =
		domain_manager_create(definition->vm->uri, definition->loop, NULL, NULL, &error);
	if (definition->manager == NULL) {
		return refused(definition, DOMAIN_FAILURE_CONNECT, &error);
	}
	enum domain_state state;
	int failure = domain_manager_get_state(
		definition->manager, definition->vm->domain, &state, &error);
	if (failure < 0) {
		return refused(definition, failure, &error);
	}
	definition->exists = state != DOMAIN_ABSENT;
	int status = choose(definition);
	xmlDoc *document = NULL;
	if (status == RUN_OK) {
		status = load_document(definition, &document);
	}
	if (status != RUN_OK) {
		return status;
	}
	char *before = domain_document_format(document);
	if (domain_document_apply(document, &definition->spec, &error) < 0) {
		status = say_failure(RUN_USAGE, "%s", error.text);
	} else {
		char *after = domain_document_format(document);
		status = commit(definition, before, after);
		free(after);
	}
	free(before);
	xmlFreeDoc(document);
	return status;
}

int launch_define(const struct run_options *options, const struct settings *settings) {
	struct definition definition = {.options = options, .settings = settings};
	definition.vm = config_vms_find(&settings->vms, options->vm);
	if (definition.vm == NULL) {
		if (!config_vm_init(&definition.fresh, options->vm)) {
			return say_failure(RUN_SYSTEM, "%s", strerror(ENOMEM));
		}
		definition.vm = &definition.fresh;
	}
	int status;
	if (definition.vm->uri == NULL) {
		status = say_failure(RUN_CONFIG,
			"%s has \"uri none\": there is no libvirt to define it in", options->vm);
	} else if (host_door_is(definition.vm->uri)) {
		status = say_failure(RUN_CONFIG,
			"%s is a guest of this machine's host (\"uri %s\"): define it there",
			options->vm, definition.vm->uri);
	} else if (sd_event_new(&definition.loop) < 0) {
		status = say_failure(RUN_SYSTEM, "%s", strerror(ENOMEM));
	} else {
		status = define(&definition);
	}
	domain_manager_destroy(definition.manager);
	sd_event_unref(definition.loop);
	free(definition.read);
	free(definition.heap_path);
	free(definition.key);
	free(definition.control_path);
	free(definition.own_path);
	config_vm_finish(&definition.fresh);
	return status;
}
