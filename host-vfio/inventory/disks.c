#include "inventory/disks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "inventory/block.h"

struct use {
	struct machine *machine;
	struct tree *tree;
	enum holder_kind kind;
	const char *name; /* mount point or swap file */
	const char *source; /* what the person knows the block device as */
};

static void add_holder(struct pci_device *device, void *data) {
	const struct use *use = data;
	machine_add_holder(device, use->kind, use->name, use->source, 0);
}

/* Adds the use to every PCI device that a block device, by its sysfs path, stands on. */
static void add_use(const struct use *use, const char *path) {
	struct use copy = *use;
	block_each_controller(use->machine, use->tree, path, add_holder, &copy);
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

/* The sysfs path of a node; the caller's, or NULL. */
static char *find_node(struct tree *tree, const char *node) {
	return strncmp(node, "/dev/mapper/", 12) == 0
		       ? find_mapper(tree, node + 12)
		       : tree_target(tree, "/sys/class/block/%s", path_name(node));
}

static void add_use_of_node(const struct use *use, const char *node) {
	char *path = find_node(use->tree, node);
	if (path) {
		add_use(use, path);
	}
	free(path);
}

/* Of a btrfs: links to its disks. */
static void add_use_of_members(const struct use *use, const char *directory) {
	struct strings names = tree_list(use->tree, "%s", directory);
	for (size_t i = 0; i < names.count; i++) {
		char *path = tree_target(use->tree, "%s/%s", directory, names.items[i]);
		if (path) {
			add_use(use, path);
		}
		free(path);
	}
	strings_finish(&names);
}

/* The mount is said of one of the disks that the file system is on. */
static void add_use_of_btrfs(const struct use *use) {
	char *path = find_node(use->tree, use->source);
	struct strings systems = {0};
	bool found = false;
	if (path) {
		systems = tree_list(use->tree, "/sys/fs/btrfs");
	}
	for (size_t i = 0; i < systems.count && !found; i++) {
		char *disks = must_print("/sys/fs/btrfs/%s/devices", systems.items[i]);
		char *link = tree_link(use->tree, "%s/%s", disks, path_name(path));
		found = link != NULL;
		if (found) {
			add_use_of_members(use, disks);
		}
		free(link);
		free(disks);
	}
	if (path && !found) {
		add_use(use, path);
	}
	/* "/dev/root", as a kernel calls its own without an initramfs, is any of them. */
	if (!path) {
		systems = tree_list(use->tree, "/sys/fs/btrfs");
	}
	for (size_t i = 0; i < systems.count && !path; i++) {
		char *disks = must_print("/sys/fs/btrfs/%s/devices", systems.items[i]);
		add_use_of_members(use, disks);
		free(disks);
	}
	strings_finish(&systems);
	free(path);
}

static bool has_line(const char *text, const char *line) {
	size_t length = strlen(line);
	for (const char *at = text; (at = strstr(at, line)); at += length) {
		bool starts = at == text || at[-1] == '\n';
		if (starts && (at[length] == '\n' || at[length] == '\0')) {
			return true;
		}
	}
	return false;
}

/* "rpool/ROOT/debian" is on the disks of rpool. The kernel does not tell which those are, but udev
 * has seen it on them. */
static void add_use_of_pool(const struct use *use) {
	char *label = must_print("E:ID_FS_LABEL=%.*s", (int)strcspn(use->source, "/"), use->source);
	struct strings blocks = tree_list(use->tree, "/sys/class/block");
	for (size_t i = 0; i < blocks.count; i++) {
		char *number = tree_text(use->tree, "/sys/class/block/%s/dev", blocks.items[i]);
		char *known = number ? tree_text(use->tree, "/run/udev/data/b%s", number) : NULL;
		if (known && has_line(known, "E:ID_FS_TYPE=zfs_member") && has_line(known, label)) {
			add_use_of_node(use, blocks.items[i]);
		}
		free(known);
		free(number);
	}
	strings_finish(&blocks);
	free(label);
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
	const char *type = strsep(&tail, " ");
	char *source = strsep(&tail, " ");
	bool pool = strcmp(type, "zfs") == 0;
	if (!source || (source[0] != '/' && !pool)) {
		return;
	}
	unescape(fields[4]);
	unescape(source);
	struct use use = {machine, tree, HOLDER_MOUNT, fields[4], source};
	if (pool) {
		add_use_of_pool(&use);
	} else if (strcmp(type, "btrfs") == 0) {
		add_use_of_btrfs(&use);
	} else if (strncmp(fields[2], "0:", 2) == 0) {
		/* A device number that no block device has: go by the sources, of which bcachefs
		 * has many. */
		char *node;
		for (char *rest_of = source; (node = strsep(&rest_of, ":"));) {
			struct use part = use;
			part.source = node;
			add_use_of_node(&part, node);
		}
	} else {
		char *path = tree_target(tree, "/sys/dev/block/%s", fields[2]);
		if (path) {
			add_use(&use, path);
		}
		free(path);
	}
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
