#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "tree/machine_file.h"

const char *const fixture_names[] = {
	"notes-laptop",
	"single-gpu-laptop",
	"two-gpu-desktop",
	"many-nic-server",
	"no-iommu",
	NULL,
};

struct memory_tree *fixture_tree(const char *name) {
	struct error error;
	char *path = must_print("%s/%s.machine", TEST_MACHINES, name);
	struct memory_tree *tree = machine_file_load(path, &error);
	if (!tree) {
		fail_msg("%s", error.text);
	}
	free(path);
	return tree;
}

struct machine fixture_machine(const char *name) {
	struct memory_tree *tree = fixture_tree(name);
	struct machine machine;
	struct error error;
	if (machine_read(&machine, memory_tree_base(tree), &error) < 0) {
		fail_msg("%s", error.text);
	}
	tree_destroy(memory_tree_base(tree));
	return machine;
}

bool fixture_finds(const struct findings *findings, bool blocks, const char *words) {
	for (size_t i = 0; i < findings->count; i++) {
		if (findings->items[i].blocks == blocks && strstr(findings->items[i].text, words)) {
			return true;
		}
	}
	return false;
}
