#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <scfg.h>

#include "base/file.h"
#include "base/must.h"
#include "identity/known.h"

static const char *value_of(const struct scfg_directive *device, const char *name) {
	for (size_t i = 0; i < device->children.directives_len; i++) {
		const struct scfg_directive *child = &device->children.directives[i];
		if (strcmp(child->name, name) == 0 && child->params_len == 1) {
			return child->params[0];
		}
	}
	return "";
}

static bool read_ids(const char *text, uint16_t *vendor, uint16_t *device) {
	int end = 0;
	return sscanf(text, "%4" SCNx16 ":%4" SCNx16 "%n", vendor, device, &end) == 2 &&
	       text[end] == '\0';
}

static int read_entry(struct known *known, const struct scfg_directive *directive, const char *path,
	struct error *error) {
	struct identity identity = {0};
	int end = 0;
	const char *class_text = value_of(directive, "class");
	const char *bridge_path = value_of(directive, "path");
	if (strcmp(directive->name, "device") != 0 || directive->params_len != 1 ||
		!read_ids(value_of(directive, "id"), &identity.vendor, &identity.device) ||
		!read_ids(value_of(directive, "subsystem"), &identity.subsystem_vendor,
			&identity.subsystem_device) ||
		sscanf(class_text, "%6" SCNx32 "%n", &identity.class_code, &end) != 1 ||
		class_text[end] != '\0' || bridge_path[0] == '\0') {
		return error_set(error, "%s, line %d: not a known device", path, directive->lineno);
	}
	if (known_find(known, directive->params[0])) {
		return error_set(error, "%s, line %d: %s is there twice", path, directive->lineno,
			directive->params[0]);
	}
	identity.path = must_copy(bridge_path);
	known->devices = must_grow(known->devices, known->count, sizeof(*known->devices));
	known->devices[known->count++] = (struct known_device){
		.name = must_copy(directive->params[0]),
		.identity = identity,
		.address = must_copy(value_of(directive, "address")),
	};
	return 0;
}

int known_load(struct known *known, const char *path, struct error *error) {
	*known = (struct known){0};
	FILE *file = fopen(path, "re");
	if (!file) {
		return errno == ENOENT ? 0 : error_set(error, "%s: %s", path, strerror(errno));
	}
	struct scfg_block block = {0};
	int status = scfg_parse_file(&block, file);
	fclose(file);
	if (status < 0) {
		return error_set(error, "%s: not a readable list of devices", path);
	}
	for (size_t i = 0; status == 0 && i < block.directives_len; i++) {
		status = read_entry(known, &block.directives[i], path, error);
	}
	scfg_block_finish(&block);
	if (status < 0) {
		known_finish(known);
	}
	return status;
}

static void write_entry(FILE *file, const struct known_device *entry) {
	const struct identity *identity = &entry->identity;
	fprintf(file,
		"device %s {\n"
		"\tpath %s\n"
		"\tid %04x:%04x\n"
		"\tsubsystem %04x:%04x\n"
		"\tclass %06x\n"
		"\taddress %s\n"
		"}\n",
		entry->name, identity->path, identity->vendor, identity->device,
		identity->subsystem_vendor, identity->subsystem_device, identity->class_code,
		entry->address);
}

int known_save(const struct known *known, const char *path, struct error *error) {
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	if (!file) {
		return error_set(error, "%s", strerror(errno));
	}
	for (size_t i = 0; i < known->count; i++) {
		write_entry(file, &known->devices[i]);
	}
	fclose(file);
	int status = file_replace(path, text, size, 0644, error);
	free(text);
	return status;
}
