#include "inventory/block.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

/* Device mapper and RAID stand on other block devices; nobody stacks deeper than this. */
enum { STACK_MAX = 16 };

struct visit {
	struct machine *machine;
	struct tree *tree;
	void (*call)(struct pci_device *device, void *data);
	void *data;
};

static void visit_path(const struct visit *visit, const char *path, int depth);

/* What the links of a directory, which begin with these letters, lead to. */
static void visit_links(
	const struct visit *visit, const char *directory, const char *start, int depth) {
	struct strings names = tree_list(visit->tree, "%s", directory);
	for (size_t i = 0; i < names.count; i++) {
		char *below = NULL;
		if (strncmp(names.items[i], start, strlen(start)) == 0) {
			below = tree_target(visit->tree, "%s/%s", directory, names.items[i]);
		}
		if (below) {
			visit_path(visit, below, depth + 1);
		}
		free(below);
	}
	strings_finish(&names);
}

/* With native multipath an NVMe disk is below its subsystem, as are links to all controllers that
 * lead to it (drivers/nvme/host/multipath.c). The subsystem's directory; the caller's, or NULL. */
static char *find_nvme_subsystem(const char *path) {
	static const char class[] = "/nvme-subsystem/";
	const char *found = strstr(path, class);
	if (!found) {
		return NULL;
	}
	const char *name = found + strlen(class);
	return must_print("%.*s%.*s", (int)(name - path), path, (int)strcspn(name, "/"), name);
}

static void visit_path(const struct visit *visit, const char *path, int depth) {
	struct pci_device *device = machine_find_path(visit->machine, path);
	if (device) {
		visit->call(device, visit->data);
		return;
	}
	if (depth >= STACK_MAX) {
		return;
	}
	char *subsystem = find_nvme_subsystem(path);
	char *slaves = must_print("%s/slaves", path);
	if (subsystem) {
		visit_links(visit, subsystem, "nvme", depth);
	} else if (tree_exists(visit->tree, "%s/partition", path)) {
		/* What a RAID stands on is said of all of it. */
		char *whole = must_print("%.*s", (int)(path_name(path) - path) - 1, path);
		visit_path(visit, whole, depth + 1);
		free(whole);
	} else {
		visit_links(visit, slaves, "", depth);
	}
	free(slaves);
	free(subsystem);
}

void block_each_controller(struct machine *machine, struct tree *tree, const char *path,
	void (*call)(struct pci_device *device, void *data), void *data) {
	const struct visit visit = {machine, tree, call, data};
	visit_path(&visit, path, 0);
}
