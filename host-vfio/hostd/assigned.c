#include "hostd/assigned.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "inventory/address.h"
#include "scfg/scfg_file.h"

static int read_line(
	void *data, const struct scfg_file *file, const struct scfg_directive *directive) {
	struct strings *assigned = data;
	struct pci_address address;
	if (strcmp(directive->name, "device") != 0 || directive->params_len != 1 ||
		!pci_address_parse(directive->params[0], &address)) {
		return scfg_file_refuse(file, directive, "expected: device ADDRESS");
	}
	strings_add(assigned, directive->params[0]);
	return 0;
}

int assigned_load(struct strings *assigned, const char *path, struct error *error) {
	*assigned = (struct strings){0};
	int status = scfg_file_read(path, read_line, assigned, error);
	if (status < 0) {
		strings_finish(assigned);
	}
	return status;
}

static int save(const struct strings *assigned, const char *path, struct error *error) {
	struct text text;
	text_init(&text);
	for (size_t i = 0; i < assigned->count; i++) {
		fprintf(text.stream, "device %s\n", assigned->items[i]);
	}
	return text_replace_file(&text, path, 0644, error);
}

int assigned_change(struct strings *assigned, const char *path, const struct strings *names,
	bool add, struct error *error) {
	struct strings after = {0};
	for (size_t i = 0; i < assigned->count; i++) {
		if (add || !strings_contain(names, assigned->items[i])) {
			strings_add(&after, assigned->items[i]);
		}
	}
	for (size_t i = 0; add && i < names->count; i++) {
		if (!strings_contain(&after, names->items[i])) {
			strings_add(&after, names->items[i]);
		}
	}
	/* It only ever grows or shrinks. */
	if (after.count != assigned->count && save(&after, path, error) < 0) {
		strings_finish(&after);
		return -1;
	}
	strings_finish(assigned);
	*assigned = after;
	return 0;
}
