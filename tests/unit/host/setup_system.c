#include "setup_system.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/must.h"
#include "base/text.h"

void setup_system_put(
	const struct setup_system *system, const char *path, const char *text, mode_t mode) {
	char *whole = changes_path(system->root, path), *directory = must_copy(whole);
	struct error error;
	*strrchr(directory, '/') = '\0';
	assert_int_equal(file_make_directory(directory, 0755, &error), 0);
	assert_int_equal(file_replace(whole, text, strlen(text), mode, &error), 0);
	free(directory);
	free(whole);
}

void setup_system_remove(const struct setup_system *system, const char *path) {
	char *whole = changes_path(system->root, path);
	assert_int_equal(unlink(whole), 0);
	free(whole);
}

static struct strings found;

static int add_path(const char *path, const struct stat *status, int type, struct FTW *at) {
	char target[256] = "";
	char *content = type == FTW_F ? changes_read("/", path) : NULL;
	if (type == FTW_SL) {
		assert_true(readlink(path, target, sizeof(target) - 1) > 0);
	}
	strings_take(
		&found, must_print("%s %o %u:%u %s%s", path, (unsigned)status->st_mode,
				status->st_uid, status->st_gid, target, content ? content : ""));
	free(content);
	return 0;
}

char *setup_system_snapshot(const struct setup_system *system) {
	struct text text;
	assert_int_equal(nftw(system->root, add_path, 16, FTW_PHYS), 0);
	strings_sort(&found);
	text_init(&text);
	for (size_t i = 0; i < found.count; i++) {
		fprintf(text.stream, "%s\n", found.items[i]);
	}
	strings_finish(&found);
	return text_take(&text);
}

static void link_to(const struct setup_system *system, const char *target, const char *path) {
	char *whole = changes_path(system->root, path);
	assert_int_equal(symlink(target, whole), 0);
	free(whole);
}

static void put_debian(struct setup_system *system) {
	setup_system_put(system, "/etc/initramfs-tools/modules", "# modules\n", 0644);
	setup_system_put(system, "/usr/sbin/update-grub", "#!/bin/sh\n", 0755);
	setup_system_put(system, "/etc/grub.d/10_linux", "#!/bin/sh\n", 0755);
	setup_system_put(system, "/etc/default/grub",
		"GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"ro\"\n",
		0640);
	/* As it is since all of /sbin is in /usr. */
	link_to(system, "usr/sbin", "/sbin");
}

static void put_fedora(struct setup_system *system) {
	setup_system_put(system, "/etc/dracut.conf", "# dracut\n", 0644);
	setup_system_put(system, "/etc/grub.d/10_linux", "#!/bin/sh\n", 0755);
	setup_system_put(system, "/etc/default/grub",
		"GRUB_TIMEOUT=5\nGRUB_ENABLE_BLSCFG=true\n"
		"GRUB_CMDLINE_LINUX=\"rhgb intel_iommu=on\"",
		0644);
	setup_system_put(system, "/etc/kernel/cmdline", "root=UUID=1 ro rhgb", 0644);
	setup_system_put(system, "/boot/loader/entries/1f-6.17.1-300.fc43.x86_64.conf",
		"title Fedora Linux (6.17.1-300.fc43.x86_64) 43\nversion 6.17.1-300.fc43.x86_64\n"
		"linux /vmlinuz-6.17.1\noptions root=UUID=1 ro rhgb\n",
		0644);
	link_to(system, "../boot/grub2/grub.cfg", "/etc/grub2.cfg");
}

static void put_arch(struct setup_system *system) {
	setup_system_put(system, "/etc/mkinitcpio.conf", "MODULES=()\n", 0644);
	setup_system_put(system, "/boot/loader/entries/arch.conf",
		"title Arch Linux\nlinux /vmlinuz-linux\noptions root=LABEL=arch rw\n", 0755);
	setup_system_put(system, "/boot/loader/entries/arch-lts+3-1.conf",
		"title Arch Linux LTS\nlinux /vmlinuz-linux-lts\noptions root=LABEL=arch rw\n",
		0755);
	setup_system_put(system, "/boot/loader/loader.conf", "default arch.conf\n", 0755);
}

void setup_system_init(struct setup_system *system, enum setup_layout layout, const char *root) {
	static const struct {
		const char *machine;
		bool intel;
		void (*put)(struct setup_system *);
	} layouts[LAYOUT_COUNT] = {
		[LAYOUT_DEBIAN] = {"two-gpu-desktop", true, put_debian},
		[LAYOUT_FEDORA] = {"notes-laptop", true, put_fedora},
		[LAYOUT_ARCH] = {"single-gpu-laptop", false, put_arch},
	};
	struct error error = {""};
	*system = (struct setup_system){.tree = fixture_tree(layouts[layout].machine)};
	assert_int_equal(machine_read(&system->machine, memory_tree_base(system->tree), &error), 0);
	evdevs_read(&system->evdevs, &system->machine, memory_tree_base(system->tree));
	snprintf(system->root, sizeof(system->root), "%s", root ? root : "/tmp/host-setup-XXXXXX");
	assert_true(root || mkdtemp(system->root));
	system->manifest = must_print("%s.json", system->root);
	system->devices[0] = machine_find(&system->machine, "0000:01:00.0");
	system->devices[1] = machine_find(&system->machine, "0000:01:00.1");
	for (size_t i = 0; i < system->evdevs.count && i < 8; i++) {
		system->inputs[i] = &system->evdevs.items[i];
	}
	system->options = (struct setup_options){
		.devices = system->devices,
		.devices_count = system->devices[1] ? 2 : 1,
		.intel = layouts[layout].intel,
		.hugepages = 512,
		.zram = true,
		.inputs = system->inputs,
	};
	layouts[layout].put(system);
	setup_system_put(system, "/etc/passwd",
		"root:x:0:0::/root:/bin/sh\nqemu:x:107:36::/:/sbin/nologin\n"
		"ann:x:1000:1000:Ann:/home/ann:/bin/bash\n",
		0644);
	setup_system_put(system, "/etc/group", "root:x:0:\nkvm:x:36:qemu\n", 0644);
}

static int remove_path(const char *path, const struct stat *status, int type, struct FTW *at) {
	return remove(path);
}

void setup_system_finish(struct setup_system *system) {
	nftw(system->root, remove_path, 16, FTW_DEPTH | FTW_PHYS);
	unlink(system->manifest);
	free(system->manifest);
	free(system->before);
	setup_plan_finish(&system->plan);
	evdevs_finish(&system->evdevs);
	machine_finish(&system->machine);
	tree_destroy(memory_tree_base(system->tree));
}

void setup_system_generate(struct setup_system *system) {
	struct error error = {""};
	free(system->before);
	system->before = setup_system_snapshot(system);
	if (setup_generate(&system->plan, system->root, &system->options, &error) < 0) {
		fail_msg("%s", error.text);
	}
}

void setup_system_apply(const struct setup_system *system) {
	struct error error = {""};
	if (changes_apply(&system->plan.changes, system->root, system->manifest, &error) < 0) {
		fail_msg("%s", error.text);
	}
}

void setup_system_undo(const struct setup_system *system) {
	struct error error = {""};
	struct changes_undone undone;
	if (changes_undo(system->root, system->manifest, &undone, &error) < 0) {
		fail_msg("%s", error.text);
	}
	assert_int_equal(undone.gone.count, 0);
	assert_int_equal(undone.commands.count, system->plan.changes.commands.count);
	changes_undone_finish(&undone);
}

void setup_system_assert_has(
	const struct setup_system *system, const char *path, const char *words) {
	char *text = changes_read(system->root, path);
	if (!text || !strstr(text, words)) {
		fail_msg("%s lacks %s: %s", path, words, text ? text : "absent");
	}
	free(text);
}

void setup_system_assert_lacks(
	const struct setup_system *system, const char *path, const char *words) {
	char *text = changes_read(system->root, path);
	assert_non_null(text);
	assert_null(strstr(text, words));
	free(text);
}

void setup_system_assert_as_before(const struct setup_system *system) {
	char *now = setup_system_snapshot(system);
	assert_string_equal(now, system->before);
	free(now);
	assert_int_equal(access(system->manifest, F_OK), -1);
}
