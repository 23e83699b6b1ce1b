#include "hostd/assigned.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "inventory/address.h"
#include "scfg/scfg_file.h"

static void add(struct assigned *assigned, const char *device, const char *vm) {
	strings_add(&assigned->devices, device);
	strings_add(&assigned->vms, vm);
}

static int read_line(
	void *data, const struct scfg_file *file, const struct scfg_directive *directive) {
	struct pci_address address;
	size_t count = directive->params_len;
	if (strcmp(directive->name, "device") != 0 || count < 1 || count > 2 ||
		!pci_address_parse(directive->params[0], &address)) {
		return scfg_file_refuse(file, directive, "expected: device ADDRESS [VM]");
	}
	add(data, directive->params[0], count == 2 ? directive->params[1] : "");
	return 0;
}

int assigned_load(struct assigned *assigned, const char *path, struct error *error) {
	*assigned = (struct assigned){0};
	int status = scfg_file_read(path, read_line, assigned, error);
	if (status < 0) {
		assigned_finish(assigned);
	}
	return status;
}

void assigned_finish(struct assigned *assigned) {
	strings_finish(&assigned->devices);
	strings_finish(&assigned->vms);
}

const char *assigned_vm(const struct assigned *assigned, const char *device) {
	for (size_t i = 0; i < assigned->devices.count; i++) {
		if (strcmp(assigned->devices.items[i], device) == 0) {
			return assigned->vms.items[i][0] ? assigned->vms.items[i] : NULL;
		}
	}
	return NULL;
}

/* A word of scfg; what has no quotes needs none. */
static void print_vm(FILE *stream, const char *vm) {
	fputs(" \"", stream);
	for (; *vm; vm++) {
		fprintf(stream, *vm == '"' || *vm == '\\' ? "\\%c" : "%c", *vm);
	}
	fputc('"', stream);
}

static int save(const struct assigned *assigned, const char *path, struct error *error) {
	struct text text;
	text_init(&text);
	for (size_t i = 0; i < assigned->devices.count; i++) {
		fprintf(text.stream, "device %s", assigned->devices.items[i]);
		if (assigned->vms.items[i][0]) {
			print_vm(text.stream, assigned->vms.items[i]);
		}
		fputc('\n', text.stream);
	}
	return text_replace_file(&text, path, 0644, error);
}

/* Takes `after` over. */
static int replace(struct assigned *assigned, struct assigned *after, bool changed,
	const char *path, struct error *error) {
	if (changed && save(after, path, error) < 0) {
		assigned_finish(after);
		return -1;
	}
	assigned_finish(assigned);
	*assigned = *after;
	return 0;
}

int assigned_add(struct assigned *assigned, const char *path, const struct strings *devices,
	struct error *error) {
	struct assigned after = {0};
	for (size_t i = 0; i < assigned->devices.count; i++) {
		add(&after, assigned->devices.items[i], assigned->vms.items[i]);
	}
	for (size_t i = 0; i < devices->count; i++) {
		if (!strings_contain(&after.devices, devices->items[i])) {
			add(&after, devices->items[i], "");
		}
	}
	bool changed = after.devices.count != assigned->devices.count;
	return replace(assigned, &after, changed, path, error);
}

int assigned_remove(struct assigned *assigned, const char *path, const struct strings *devices,
	struct error *error) {
	struct assigned after = {0};
	for (size_t i = 0; i < assigned->devices.count; i++) {
		if (!strings_contain(devices, assigned->devices.items[i])) {
			add(&after, assigned->devices.items[i], assigned->vms.items[i]);
		}
	}
	bool changed = after.devices.count != assigned->devices.count;
	return replace(assigned, &after, changed, path, error);
}

int assigned_give(struct assigned *assigned, const char *path, const struct strings *vms,
	struct error *error) {
	struct assigned after = {0};
	bool changed = false;
	for (size_t i = 0; i < assigned->devices.count; i++) {
		changed |= strcmp(vms->items[i], assigned->vms.items[i]) != 0;
		add(&after, assigned->devices.items[i], vms->items[i]);
	}
	return replace(assigned, &after, changed, path, error);
}
