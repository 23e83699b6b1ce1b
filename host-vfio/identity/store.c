#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "identity/known.h"
#include "scfg/scfg_file.h"

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

static int read_entry(
	void *data, const struct scfg_file *file, const struct scfg_directive *directive) {
	struct known *known = data;
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
		return scfg_file_refuse(file, directive, "not a known device");
	}
	if (known_find(known, directive->params[0])) {
		return scfg_file_refuse(file, directive, "%s is there twice", directive->params[0]);
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
	int status = scfg_file_read(path, read_entry, known, error);
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
	struct text text;
	text_init(&text);
	for (size_t i = 0; i < known->count; i++) {
		write_entry(text.stream, &known->devices[i]);
	}
	return text_replace_file(&text, path, 0644, error);
}
