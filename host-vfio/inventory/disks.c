#include "inventory/disks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

/* Device mapper and RAID stand on other block devices; nobody stacks deeper than this. */
enum { STACK_MAX = 16 };

struct use {
	struct machine *machine;
	struct tree *tree;
	enum holder_kind kind;
	const char *name; /* mount point or swap file */
	const char *source; /* what the person knows the block device as */
};

/* Adds the use to every PCI device that a block device, by its sysfs path, stands on. */
static void add_use(const struct use *use, const char *path, int depth) {
	struct pci_device *device = machine_find_path(use->machine, path);
	if (device) {
		machine_add_holder(device, use->kind, use->name, use->source, 0);
		return;
	}
	struct strings slaves = {0};
	if (depth < STACK_MAX) {
		slaves = tree_list(use->tree, "%s/slaves", path);
	}
	for (size_t i = 0; i < slaves.count; i++) {
		char *below = tree_target(use->tree, "%s/slaves/%s", path, slaves.items[i]);
		if (below) {
			add_use(use, below, depth + 1);
		}
		free(below);
	}
	strings_finish(&slaves);
}

/* The block device of a device mapper name ("/dev/mapper/NAME"); the caller's, or NULL. */
static char *find_mapper(struct tree *tree, const char *name) {
	struct strings blocks = tree_list(tree, "/sys/class/block");
	char *found = NULL;
	for (size_t i = 0; i < blocks.count && !found; i++) {
		if (strncmp(blocks.items[i], "dm-", 3) != 0) {
			continue;
		}
		char *other = tree_text(tree, "/sys/class/block/%s/dm/name", blocks.items[i]);
		if (other && strcmp(other, name) == 0) {
			found = tree_target(tree, "/sys/class/block/%s", blocks.items[i]);
		}
		free(other);
	}
	strings_finish(&blocks);
	return found;
}

static void add_use_of_node(const struct use *use, const char *node) {
	char *path;
	if (strncmp(node, "/dev/mapper/", 12) == 0) {
		path = find_mapper(use->tree, node + 12);
	} else {
		path = tree_target(use->tree, "/sys/class/block/%s", path_name(node));
	}
	if (path) {
		add_use(use, path, 0);
	}
	free(path);
}

/* Undoes the octal escapes of /proc/PID/mountinfo and /proc/swaps, in place. */
static void unescape(char *text) {
	char *out = text;
	for (const char *in = text; *in != '\0'; in++) {
		unsigned code;
		if (*in == '\\' && sscanf(in + 1, "%3o", &code) == 1) {
			*out++ = (char)code;
			in += 3;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
}

/* proc_pid_mountinfo(5): id, parent, MAJOR:MINOR, root, mount point, options, tags…, "-", type,
 * source, options. */
static void read_mount(struct machine *machine, struct tree *tree, char *line) {
	char *fields[5], *rest = line;
	for (size_t i = 0; i < 5; i++) {
		fields[i] = strsep(&rest, " ");
	}
	char *tail = rest ? strstr(rest, " - ") : NULL;
	if (!tail) {
		return;
	}
	tail += 3;
	strsep(&tail, " ");
	char *source = strsep(&tail, " ");
	if (!source || source[0] != '/') {
		return;
	}
	unescape(fields[4]);
	unescape(source);
	struct use use = {machine, tree, HOLDER_MOUNT, fields[4], source};
	/* btrfs has a device number of its own that no block device has: go by its source. */
	if (strncmp(fields[2], "0:", 2) == 0) {
		add_use_of_node(&use, source);
		return;
	}
	char *path = tree_target(tree, "/sys/dev/block/%s", fields[2]);
	if (path) {
		add_use(&use, path, 0);
	}
	free(path);
}

static void read_mounts(struct machine *machine, struct tree *tree) {
	/* Those of the host's own namespace, where it may be looked at. */
	char *text = tree_text(tree, "/proc/1/mountinfo");
	if (!text) {
		text = tree_text(tree, "/proc/self/mountinfo");
	}
	char *rest = text, *line;
	while ((line = strsep(&rest, "\n"))) {
		read_mount(machine, tree, line);
	}
	free(text);
}

void disks_read(struct machine *machine, struct tree *tree) {
	read_mounts(machine, tree);
	char *text = tree_text(tree, "/proc/swaps");
	char *rest = text, *line;
	strsep(&rest, "\n"); /* the heading */
	while (rest && (line = strsep(&rest, "\n"))) {
		char *name = strsep(&line, " \t");
		unescape(name);
		/* A swap file's disk is held by its file system's mount already. */
		if (strncmp(name, "/dev/", 5) == 0) {
			struct use use = {machine, tree, HOLDER_SWAP, name, NULL};
			add_use_of_node(&use, name);
		}
	}
	free(text);
}
