#ifndef TESTS_HOST_SETUP_SYSTEM_H
#define TESTS_HOST_SETUP_SYSTEM_H

#include "fixture.h"
#include "setup/generate.h"

/* A system to set up, as a tree of files in a directory, in the layout of one distribution. */

enum setup_layout {
	LAYOUT_DEBIAN, /* GRUB, initramfs-tools */
	LAYOUT_FEDORA, /* GRUB that reads entries, dracut */
	LAYOUT_ARCH, /* systemd-boot, mkinitcpio */
	LAYOUT_COUNT,
};

struct setup_system {
	char root[64];
	char *manifest;
	struct memory_tree *tree;
	struct machine machine;
	struct evdevs evdevs;
	const struct pci_device *devices[2];
	const struct evdev *inputs[8];
	struct setup_options options; /* devices, huge pages and zram at first */
	struct setup_plan plan;
	char *before; /* setup_system_snapshot() as of setup_system_generate() */
};

/* `root` is an empty directory, or NULL for one of its own. */
void setup_system_init(struct setup_system *system, enum setup_layout layout, const char *root);
void setup_system_finish(struct setup_system *system);

/* Makes a file with its directories. */
void setup_system_put(
	const struct setup_system *system, const char *path, const char *text, mode_t mode);
void setup_system_remove(const struct setup_system *system, const char *path);
/* Every path with type, mode, owner, and content or target; the caller's. */
char *setup_system_snapshot(const struct setup_system *system);
/* These fail the test when it does not work. */
void setup_system_generate(struct setup_system *system);
void setup_system_apply(const struct setup_system *system);
void setup_system_undo(const struct setup_system *system);

void setup_system_assert_has(
	const struct setup_system *system, const char *path, const char *words);
void setup_system_assert_lacks(
	const struct setup_system *system, const char *path, const char *words);
/* Is everything as it was when generated, the manifest gone? */
void setup_system_assert_as_before(const struct setup_system *system);

#endif
