#ifndef CONFIG_VM_H
#define CONFIG_VM_H

#include "config_file.h"

/*
 * The guests of portal.scfg, one for each block `vm NAME { … }`; portal(5) describes every key. The
 * forms of TRANSPORT and HEAP belong to the protocol, which this library does not know: whoever
 * opens them checks them, and reports the line.
 */

/* The guest of `portal-run local:`, an agent on this machine; its block has no domain. */
#define CONFIG_VM_LOCAL "local"

struct config_vm_env {
	char *name;
	char *value;
};

struct config_vm {
	char *name;
	char *domain; /* of libvirt */
	char *uri; /* of the libvirt connection; NULL ("none"): something else starts the guest */
	char *label; /* text, NULL: none */
	uint32_t color; /* of the label, 0x00rrggbb */
	char *transport, *heap; /* NULL: as the domain's definition says */
	uint64_t heap_size; /* bytes */
	char *key; /* path; NULL: the default place */
	char **command; /* NULL terminated; NULL: none */
	struct config_vm_env *env;
	size_t env_len;
	int idle_stop; /* minutes after the last window has gone, 0: never */
	int line, transport_line, heap_line; /* in the file, 0: not there */
};

struct config_vms {
	struct config_vm *vms; /* in the file's order */
	size_t len;
};

/**
 * Reads every vm block of FILE, and checks the names of the other directives. On failure nothing
 * needs to be finished.
 */
bool config_vms_read(
	struct config_vms *vms, const struct config_file *file, struct config_error *error);
void config_vms_finish(struct config_vms *vms);

/** Reads the one vm block that DIRECTIVE is. On failure the list stays good for finishing. */
bool config_vms_add(struct config_vms *vms, const struct config_file *file,
	const struct scfg_directive *directive, struct config_error *error);

/** The guest of that name, or NULL. */
const struct config_vm *config_vms_find(const struct config_vms *vms, const char *name);

/** A guest without a block, everything at its default. False when memory is out. */
bool config_vm_init(struct config_vm *vm, const char *name);
void config_vm_finish(struct config_vm *vm);

/** Whether a guest can have this name: it becomes part of the names of files and sockets. */
bool config_vm_name_valid(const char *name);

#endif
