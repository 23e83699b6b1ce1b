#include <fcntl.h>
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
#include "fixture.h"
#include "setup/boot.h"
#include "setup/generate.h"

/* A system to set up, in a directory. */
struct system {
	char root[64];
	char *manifest;
	struct machine machine;
	const struct pci_device *devices[2];
	struct setup_options options;
	struct changes changes;
	struct strings commands;
	char *before; /* snapshot() */
};

static void put(struct system *system, const char *path, const char *text, mode_t mode) {
	char *whole = must_print("%s%s", system->root, path), *directory = must_copy(whole);
	struct error error;
	*strrchr(directory, '/') = '\0';
	assert_int_equal(file_make_directory(directory, 0755, &error), 0);
	assert_int_equal(file_replace(whole, text, strlen(text), mode, &error), 0);
	free(directory);
	free(whole);
}

static struct strings found;

static int add_path(const char *path, const struct stat *status, int type, struct FTW *at) {
	char *content = type == FTW_F ? changes_read("/", path) : must_copy("");
	strings_take(&found, must_print("%s %o %s", path, (unsigned)status->st_mode, content));
	free(content);
	return 0;
}

/* Every path of the system with mode and content; the caller's. */
static char *snapshot(const struct system *system) {
	assert_int_equal(nftw(system->root, add_path, 16, FTW_PHYS), 0);
	strings_sort(&found);
	char *text = must_copy("");
	for (size_t i = 0; i < found.count; i++) {
		char *longer = must_print("%s%s\n", text, found.items[i]);
		free(text);
		text = longer;
	}
	strings_finish(&found);
	return text;
}

static int remove_path(const char *path, const struct stat *status, int type, struct FTW *at) {
	return remove(path);
}

static void begin(struct system *system, const char *fixture, bool intel) {
	*system = (struct system){.machine = fixture_machine(fixture)};
	strcpy(system->root, "/tmp/host-setup-XXXXXX");
	assert_non_null(mkdtemp(system->root));
	system->manifest = must_print("%s.json", system->root);
	system->devices[0] = machine_find(&system->machine, "0000:01:00.0");
	system->devices[1] = machine_find(&system->machine, "0000:01:00.1");
	system->options = (struct setup_options){
		.devices = system->devices,
		.devices_count = system->devices[1] ? 2 : 1,
		.intel = intel,
		.hugepages = 512,
		.zram = true,
	};
}

static void begin_debian(struct system *system) {
	begin(system, "two-gpu-desktop", true);
	put(system, "/etc/initramfs-tools/modules", "# modules\n", 0644);
	put(system, "/usr/sbin/update-grub", "#!/bin/sh\n", 0755);
	put(system, "/etc/default/grub",
		"GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"ro\"\n",
		0640);
}

static void begin_fedora(struct system *system) {
	begin(system, "notes-laptop", true);
	put(system, "/etc/dracut.conf", "# dracut\n", 0644);
	put(system, "/etc/grub2.cfg", "", 0600);
	put(system, "/etc/default/grub",
		"GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX=\"rhgb intel_iommu=on\"", 0644);
}

static void begin_arch(struct system *system) {
	begin(system, "single-gpu-laptop", false);
	put(system, "/etc/mkinitcpio.conf", "MODULES=()\n", 0644);
	put(system, "/boot/loader/entries/arch.conf",
		"title Arch Linux\nlinux /vmlinuz-linux\noptions root=LABEL=arch rw\n", 0755);
	put(system, "/boot/loader/loader.conf", "default arch.conf\n", 0755);
}

static void end(struct system *system) {
	nftw(system->root, remove_path, 16, FTW_DEPTH | FTW_PHYS);
	unlink(system->manifest);
	free(system->manifest);
	free(system->before);
	changes_finish(&system->changes);
	strings_finish(&system->commands);
	machine_finish(&system->machine);
}

static void generate(struct system *system) {
	struct error error = {""};
	free(system->before);
	system->before = snapshot(system);
	if (setup_generate(&system->changes, &system->commands, system->root, &system->options,
		    &error) < 0) {
		fail_msg("%s", error.text);
	}
}

static void apply(struct system *system) {
	struct error error = {""};
	if (changes_apply(&system->changes, system->root, system->manifest, &error) < 0) {
		fail_msg("%s", error.text);
	}
}

static void assert_has(const struct system *system, const char *path, const char *words) {
	char *text = changes_read(system->root, path);
	if (!text || !strstr(text, words)) {
		fail_msg("%s: %s", path, text ? text : "absent");
	}
	free(text);
}

static void assert_undone(const struct system *system) {
	struct error error = {""};
	if (changes_undo(system->root, system->manifest, &error) < 0) {
		fail_msg("%s", error.text);
	}
	char *now = snapshot(system);
	assert_string_equal(now, system->before);
	free(now);
	assert_int_equal(access(system->manifest, F_OK), -1);
}

static void generating_alone_changes_nothing(void **state) {
	struct system system;
	begin_debian(&system);
	generate(&system);
	assert_true(system.changes.count > 3);
	char *now = snapshot(&system);
	assert_string_equal(now, system.before);
	free(now);
	end(&system);
}

static void a_debian_system_is_set_up_and_back(void **state) {
	struct system system;
	begin_debian(&system);
	generate(&system);
	apply(&system);
	assert_has(&system, "/etc/udev/rules.d/60-portal-vfio.rules",
		"KERNEL==\"0000:01:00.0\", ATTR{vendor}==\"0x10de\", ATTR{device}==\"0x2484\", "
		"ATTR{driver_override}=\"vfio-pci\"");
	assert_has(&system, "/etc/udev/rules.d/60-portal-vfio.rules", "0000:01:00.1");
	assert_has(&system, "/etc/initramfs-tools/hooks/portal-vfio", "force_load vfio-pci");
	assert_has(&system, "/etc/default/grub",
		"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n"
		"GRUB_CMDLINE_LINUX=\"ro intel_iommu=on iommu=pt\"\n");
	assert_has(&system, "/etc/sysctl.d/60-portal-hugepages.conf", "vm.nr_hugepages = 512");
	assert_has(&system, "/etc/systemd/zram-generator.conf.d/portal.conf", "[zram0]");
	assert_true(strings_contain(&system.commands, "update-initramfs -u -k all"));
	assert_true(strings_contain(&system.commands, "update-grub"));
	assert_undone(&system);
	end(&system);
}

static void a_fedora_system_is_set_up_and_back(void **state) {
	struct system system;
	begin_fedora(&system);
	generate(&system);
	apply(&system);
	assert_has(&system, "/etc/dracut.conf.d/portal-vfio.conf", "force_drivers+=\" vfio-pci \"");
	/* The word that is there already is not added again. */
	assert_has(&system, "/etc/default/grub",
		"GRUB_CMDLINE_LINUX=\"rhgb intel_iommu=on iommu=pt\"");
	assert_true(strings_contain(&system.commands, "dracut --force --regenerate-all"));
	assert_true(strings_contain(&system.commands, "grub2-mkconfig -o /etc/grub2.cfg"));
	assert_undone(&system);
	end(&system);
}

static void an_arch_system_is_set_up_and_back(void **state) {
	struct system system;
	begin_arch(&system);
	generate(&system);
	apply(&system);
	assert_has(&system, "/etc/mkinitcpio.conf.d/portal-vfio.conf", "MODULES+=(vfio-pci)");
	assert_has(
		&system, "/boot/loader/entries/arch.conf", "options root=LABEL=arch rw iommu=pt\n");
	assert_true(strings_contain(&system.commands, "mkinitcpio -P"));
	assert_undone(&system);
	end(&system);
}

static void an_entry_of_its_own_leaves_the_usual_one_without_the_devices(void **state) {
	struct system system;
	begin_arch(&system);
	system.options.own_entry = true;
	generate(&system);
	apply(&system);
	assert_has(&system, "/boot/loader/entries/arch-portal.conf",
		"title Arch Linux (devices for VMs)\n");
	assert_has(&system, "/boot/loader/entries/arch-portal.conf", " portal.vfio=1\n");
	assert_has(&system, "/etc/udev/rules.d/60-portal-vfio.rules", "IMPORT{cmdline}");
	assert_has(&system, "/etc/udev/rules.d/60-portal-vfio.rules", "ENV{portal.vfio}==\"1\"");
	char *usual = changes_read(system.root, "/boot/loader/entries/arch.conf");
	assert_null(strstr(usual, "portal.vfio"));
	free(usual);
	/* Done again, it neither copies its copy nor adds a word twice. */
	struct changes again = {0};
	struct error error;
	assert_int_equal(
		setup_generate(&again, &system.commands, system.root, &system.options, &error), 0);
	assert_int_equal(again.count, 0);
	assert_undone(&system);
	end(&system);
	begin_debian(&system);
	system.options.own_entry = true;
	assert_int_equal(setup_generate(&system.changes, &system.commands, system.root,
				 &system.options, &error),
		-1);
	assert_non_null(strstr(error.text, "systemd-boot only"));
	end(&system);
}

static void interrupted_anywhere_it_can_be_taken_back(void **state) {
	for (size_t done = 0;; done++) {
		struct system system;
		begin_debian(&system);
		generate(&system);
		apply(&system);
		if (done == system.changes.count) {
			end(&system);
			break;
		}
		/* As if it had ended after the first `done` files. */
		for (size_t i = done; i < system.changes.count; i++) {
			const struct change_file *change = &system.changes.files[i];
			if (change->before) {
				put(&system, change->path, change->before, change->mode);
			} else {
				char *path = must_print("%s%s", system.root, change->path);
				assert_int_equal(unlink(path), 0);
				free(path);
			}
		}
		assert_undone(&system);
		end(&system);
	}
}

static void what_somebody_else_changed_is_not_taken_back_over(void **state) {
	struct system system;
	struct error error;
	begin_debian(&system);
	generate(&system);
	apply(&system);
	put(&system, "/etc/default/grub", "GRUB_CMDLINE_LINUX=\"mine\"\n", 0644);
	char *mine = snapshot(&system);
	assert_int_equal(changes_undo(system.root, system.manifest, &error), -1);
	assert_non_null(strstr(error.text, "/etc/default/grub was changed by somebody else"));
	char *now = snapshot(&system);
	assert_string_equal(now, mine);
	free(now);
	free(mine);
	end(&system);
}

static void what_cannot_be_done_is_refused_with_the_reason(void **state) {
	struct system system;
	struct error error;
	begin(&system, "two-gpu-desktop", true);
	assert_int_equal(setup_generate(&system.changes, &system.commands, system.root,
				 &system.options, &error),
		-1);
	assert_non_null(strstr(error.text, "initramfs in no way known"));
	put(&system, "/etc/mkinitcpio.conf", "", 0644);
	assert_int_equal(setup_generate(&system.changes, &system.commands, system.root,
				 &system.options, &error),
		-1);
	assert_non_null(strstr(error.text, "no boot loader known here"));
	assert_int_equal(changes_undo(system.root, system.manifest, &error), -1);
	assert_non_null(strstr(error.text, "no set-up to undo"));
	end(&system);
	begin_debian(&system);
	generate(&system);
	apply(&system);
	assert_int_equal(changes_apply(&system.changes, system.root, system.manifest, &error), -1);
	assert_non_null(strstr(error.text, "undo it first"));
	assert_int_equal(file_replace(system.manifest, "{", 1, 0600, &error), 0);
	assert_int_equal(changes_undo(system.root, system.manifest, &error), -1);
	assert_non_null(strstr(error.text, "is corrupt"));
	static const char escape[] = "{\"version\":1,\"files\":[{\"path\":\"/../etc/x\",\"before\":"
				     "null,\"after\":\"\",\"mode\":420}],\"directories\":[]}";
	assert_int_equal(file_replace(system.manifest, escape, strlen(escape), 0600, &error), 0);
	assert_int_equal(changes_undo(system.root, system.manifest, &error), -1);
	assert_non_null(strstr(error.text, "is corrupt"));
	end(&system);
}

static void words_are_added_once_and_inside_quotes(void **state) {
	static const char *const cases[][2] = {
		{"X=\"\"", "X=\"a=1 b\""},
		{"X=\"q\"", "X=\"q a=1 b\""},
		{"X='q b'  ", "X='q b a=1'  "},
		{"X=", "X=\"a=1 b\""},
		{"X=q", "X=\"q a=1 b\""},
		{"X=\"q\" # a=1 was here", "X=\"q a=1 b\" # a=1 was here"},
		{"X=\"q", "X=\"q a=1 b\""},
		{"options q ", "options q a=1 b"},
		{"options q a=1", "options q a=1 b"},
		{"options a=12 bb", "options a=12 bb a=1 b"},
	};
	struct strings words = {0};
	strings_add(&words, "a=1");
	strings_add(&words, "b");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *line = boot_add_words(cases[i][0], &words);
		assert_string_equal(line, cases[i][1]);
		free(line);
	}
	strings_finish(&words);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(generating_alone_changes_nothing),
		cmocka_unit_test(a_debian_system_is_set_up_and_back),
		cmocka_unit_test(a_fedora_system_is_set_up_and_back),
		cmocka_unit_test(an_arch_system_is_set_up_and_back),
		cmocka_unit_test(an_entry_of_its_own_leaves_the_usual_one_without_the_devices),
		cmocka_unit_test(interrupted_anywhere_it_can_be_taken_back),
		cmocka_unit_test(what_somebody_else_changed_is_not_taken_back_over),
		cmocka_unit_test(what_cannot_be_done_is_refused_with_the_reason),
		cmocka_unit_test(words_are_added_once_and_inside_quotes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
