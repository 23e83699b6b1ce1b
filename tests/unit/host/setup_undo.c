#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/must.h"
#include "setup_system.h"

static void interrupted_anywhere_it_can_be_taken_back(void **state) {
	for (size_t done = 0;; done++) {
		struct setup_system system;
		setup_system_init(&system, LAYOUT_DEBIAN, NULL);
		setup_system_generate(&system);
		setup_system_apply(&system);
		if (done == system.plan.changes.count) {
			setup_system_finish(&system);
			break;
		}
		/* As if it had ended after the first `done` files. */
		for (size_t i = done; i < system.plan.changes.count; i++) {
			const struct change_file *change = &system.plan.changes.files[i];
			if (change->before) {
				setup_system_put(
					&system, change->path, change->before, change->mode);
			} else {
				char *path = must_print("%s%s", system.root, change->path);
				assert_int_equal(unlink(path), 0);
				free(path);
			}
		}
		setup_system_undo(&system);
		setup_system_assert_as_before(&system);
		setup_system_finish(&system);
	}
}

static void what_somebody_else_changed_is_not_taken_back_over(void **state) {
	struct setup_system system;
	struct changes_undone undone;
	struct error error;
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_put(&system, "/etc/default/grub", "GRUB_CMDLINE_LINUX=\"mine\"\n", 0644);
	char *mine = setup_system_snapshot(&system);
	assert_int_equal(changes_undo(system.root, system.manifest, &undone, &error), -1);
	assert_non_null(strstr(error.text, "/etc/default/grub was changed by somebody else"));
	assert_non_null(strstr(error.text, system.manifest));
	/* It can be shown what was changed. */
	assert_int_equal(undone.edited.count, 1);
	assert_non_null(strstr(undone.edited.files[0].before, "intel_iommu=on iommu=pt"));
	assert_string_equal(undone.edited.files[0].after, "GRUB_CMDLINE_LINUX=\"mine\"\n");
	changes_undone_finish(&undone);
	char *now = setup_system_snapshot(&system);
	assert_string_equal(now, mine);
	free(now);
	free(mine);
	setup_system_finish(&system);
}

/* Whoever undoes a set-up that was made long ago has other lines in the file by then. */
static void what_somebody_else_changed_elsewhere_in_a_file_stays(void **state) {
	static const char *const texts[] = {
		("GRUB_DEFAULT=0\nGRUB_TIMEOUT=9\nGRUB_CMDLINE_LINUX_DEFAULT=\"loud\"\n"
		 "GRUB_CMDLINE_LINUX=\"ro%s\"\n# mine"),
		"# mine\nGRUB_CMDLINE_LINUX=\"ro%s\"\n",
		"GRUB_CMDLINE_LINUX=\"ro%s\"\nGRUB_DEFAULT=0\n",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct setup_system system;
		struct changes_undone undone;
		struct error error = {""};
		setup_system_init(&system, LAYOUT_DEBIAN, NULL);
		setup_system_generate(&system);
		setup_system_apply(&system);
		const char *mark = strstr(texts[i], "%s");
		char *with = must_print("%.*s intel_iommu=on iommu=pt%s", (int)(mark - texts[i]),
			texts[i], mark + 2);
		char *without = must_print("%.*s%s", (int)(mark - texts[i]), texts[i], mark + 2);
		setup_system_put(&system, "/etc/default/grub", with, 0640);
		assert_int_equal(changes_undo(system.root, system.manifest, &undone, &error), 0);
		char *now = changes_read(system.root, "/etc/default/grub");
		assert_string_equal(now, without);
		free(now);
		assert_int_equal(undone.merged.count, 1);
		assert_string_equal(undone.merged.items[0], "/etc/default/grub");
		assert_int_equal(undone.edited.count, 0);
		assert_int_equal(access(system.manifest, F_OK), -1);
		changes_undone_finish(&undone);
		free(with);
		free(without);
		setup_system_finish(&system);
	}
}

/* As whoever is refused is told to, or as an undo leaves it that a power loss has ended. */
static void lines_that_are_as_before_already_are_left_alone(void **state) {
	struct setup_system system;
	struct changes_undone undone;
	struct error error = {""};
	static const char mine[] = "# mine\nGRUB_CMDLINE_LINUX=\"ro\"\n";
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_put(&system, "/etc/default/grub", mine, 0640);
	assert_int_equal(changes_undo(system.root, system.manifest, &undone, &error), 0);
	setup_system_assert_has(&system, "/etc/default/grub", mine);
	changes_undone_finish(&undone);
	setup_system_finish(&system);
}

/* Which of both was the set-up's nobody knows. */
static void lines_that_are_there_twice_are_left_to_whoever_wrote_them(void **state) {
	struct setup_system system;
	struct changes_undone undone;
	struct error error = {""};
	static const char twice[] = "GRUB_CMDLINE_LINUX=\"ro intel_iommu=on iommu=pt\"\n"
				    "GRUB_CMDLINE_LINUX=\"ro intel_iommu=on iommu=pt\"\n";
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_put(&system, "/etc/default/grub", twice, 0640);
	assert_int_equal(changes_undo(system.root, system.manifest, &undone, &error), -1);
	setup_system_assert_has(&system, "/etc/default/grub", twice);
	changes_undone_finish(&undone);
	setup_system_finish(&system);
}

/* Only blanks do not count, and only in an entry. */
static void an_entry_that_somebody_else_changed_is_not_taken_back_over(void **state) {
	static const struct {
		const char *path, *text, *name;
	} cases[] = {
		{"/boot/loader/entries/arch.conf",
			"title Arch Linux\nlinux /vmlinuz-linux\noptions root=LABEL=arch rw "
			"intel_iommu=on iommu=pt quiet\n",
			"arch.conf was changed"},
		{"/etc/modules-load.d/portal-vfio.conf",
			"# Written by portal-host setup.\n vfio-pci\n",
			"portal-vfio.conf was changed"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct setup_system system;
		struct changes_undone undone;
		struct error error;
		setup_system_init(&system, LAYOUT_ARCH, NULL);
		setup_system_generate(&system);
		setup_system_apply(&system);
		setup_system_put(&system, cases[i].path, cases[i].text, 0644);
		assert_int_equal(changes_undo(system.root, system.manifest, &undone, &error), -1);
		assert_non_null(strstr(error.text, cases[i].name));
		changes_undone_finish(&undone);
		setup_system_finish(&system);
	}
}

static void a_file_that_went_with_its_kernel_stays_away(void **state) {
	struct setup_system system;
	struct changes_undone undone;
	struct error error = {""};
	static const char entry[] = "/boot/loader/entries/1f-6.17.1-300.fc43.x86_64.conf";
	setup_system_init(&system, LAYOUT_FEDORA, NULL);
	setup_system_generate(&system);
	setup_system_apply(&system);
	char *path = changes_path(system.root, entry);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(changes_undo(system.root, system.manifest, &undone, &error), 0);
	assert_int_equal(undone.gone.count, 1);
	assert_string_equal(undone.gone.items[0], entry);
	assert_int_equal(access(path, F_OK), -1);
	setup_system_assert_has(&system, "/etc/kernel/cmdline", "root=UUID=1 ro rhgb");
	assert_int_equal(access(system.manifest, F_OK), -1);
	changes_undone_finish(&undone);
	free(path);
	setup_system_finish(&system);
}

static void an_entry_whose_tries_are_over_is_taken_back(void **state) {
	struct setup_system system;
	static const char *const names[] = {"arch-lts.conf", "arch-lts+2-2.conf"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		setup_system_init(&system, LAYOUT_ARCH, NULL);
		setup_system_generate(&system);
		setup_system_apply(&system);
		char *before = changes_path(system.root, "/boot/loader/entries/arch-lts+3-1.conf");
		char *after = must_print("%s/boot/loader/entries/%s", system.root, names[i]);
		assert_int_equal(rename(before, after), 0);
		setup_system_undo(&system);
		assert_int_equal(rename(after, before), 0);
		setup_system_assert_as_before(&system);
		free(after);
		free(before);
		setup_system_finish(&system);
	}
}

/* Its rules went by the address. What is taken back is what was written, whatever that was. */
static void a_set_up_of_an_earlier_form_is_taken_back(void **state) {
	static const char rules[] =
		"# Written by portal-host setup; portal-host setup --undo takes it back.\n"
		"ACTION==\"add\", SUBSYSTEM==\"pci\", KERNEL==\"0000:01:00.0\", "
		"ATTR{vendor}==\"0x10de\", ATTR{device}==\"0x2484\", "
		"ATTR{driver_override}=\"vfio-pci\"\n";
	struct setup_system system;
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	setup_system_generate(&system);
	bool found = false;
	for (size_t i = 0; i < system.plan.changes.count; i++) {
		struct change_file *change = &system.plan.changes.files[i];
		if (strcmp(change->path, "/etc/udev/rules.d/60-portal-vfio.rules") == 0) {
			free(change->after);
			change->after = must_copy(rules);
			found = true;
		}
	}
	assert_true(found);
	setup_system_apply(&system);
	setup_system_assert_has(&system, "/etc/udev/rules.d/60-portal-vfio.rules", rules);
	setup_system_undo(&system);
	setup_system_assert_as_before(&system);
	setup_system_finish(&system);
}

static void another_system_is_not_taken_back(void **state) {
	struct setup_system system, other;
	struct changes_undone undone;
	struct error error = {""};
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	setup_system_init(&other, LAYOUT_DEBIAN, NULL);
	setup_system_generate(&system);
	setup_system_apply(&system);
	assert_int_equal(changes_undo(other.root, system.manifest, &undone, &error), -1);
	changes_undone_finish(&undone);
	char *words = must_print("was made below %s: say --into", system.root);
	assert_non_null(strstr(error.text, words));
	free(words);
	assert_int_equal(access(system.manifest, F_OK), 0);
	setup_system_undo(&system);
	setup_system_assert_as_before(&system);

	/* A manifest that lies in its system goes along when that is mounted elsewhere. */
	free(system.manifest);
	system.manifest = must_print("%s/var/state/setup.json", system.root);
	setup_system_put(&system, "/var/state/x", "", 0644);
	setup_system_apply(&system);
	assert_int_equal(changes_undo(other.root, system.manifest, &undone, &error), -1);
	changes_undone_finish(&undone);
	assert_non_null(strstr(error.text, "in the system that this file lies in"));
	char *moved = must_print("%s-moved", system.root);
	assert_int_equal(rename(system.root, moved), 0);
	char *manifest = must_print("%s/var/state/setup.json", moved);
	assert_int_equal(changes_undo(moved, manifest, &undone, &error), 0);
	changes_undone_finish(&undone);
	assert_int_equal(rename(moved, system.root), 0);
	free(manifest);
	free(moved);
	setup_system_finish(&system);
	setup_system_finish(&other);
}

static void what_cannot_be_taken_back_is_refused_with_the_reason(void **state) {
	static const char *const manifests[] = {"{",
		("{\"version\":1,\"files\":[{\"path\":\"/../etc/x\",\"before\":null,"
		 "\"after\":\"\",\"mode\":420}],\"directories\":[]}"),
		"{\"version\":2,\"files\":[],\"directories\":[]}",
		"{\"version\":1,\"files\":[],\"directories\":[\"x\"]}",
		"{\"version\":1,\"files\":[],\"directories\":[],\"commands\":[1]}"};
	struct setup_system system;
	struct changes_undone undone;
	struct error error;
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	assert_int_equal(changes_undo(system.root, system.manifest, &undone, &error), -1);
	assert_non_null(strstr(error.text, "no set-up to undo"));
	setup_system_generate(&system);
	setup_system_apply(&system);
	assert_int_equal(
		changes_apply(&system.plan.changes, system.root, system.manifest, &error), -1);
	assert_non_null(strstr(error.text, "undo it first"));
	for (size_t i = 0; i < sizeof(manifests) / sizeof(manifests[0]); i++) {
		assert_int_equal(file_replace(system.manifest, manifests[i], strlen(manifests[i]),
					 0600, &error),
			0);
		assert_int_equal(changes_undo(system.root, system.manifest, &undone, &error), -1);
		assert_non_null(strstr(error.text, "is corrupt"));
	}
	setup_system_finish(&system);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupted_anywhere_it_can_be_taken_back),
		cmocka_unit_test(what_somebody_else_changed_is_not_taken_back_over),
		cmocka_unit_test(what_somebody_else_changed_elsewhere_in_a_file_stays),
		cmocka_unit_test(lines_that_are_as_before_already_are_left_alone),
		cmocka_unit_test(lines_that_are_there_twice_are_left_to_whoever_wrote_them),
		cmocka_unit_test(an_entry_that_somebody_else_changed_is_not_taken_back_over),
		cmocka_unit_test(a_file_that_went_with_its_kernel_stays_away),
		cmocka_unit_test(an_entry_whose_tries_are_over_is_taken_back),
		cmocka_unit_test(a_set_up_of_an_earlier_form_is_taken_back),
		cmocka_unit_test(another_system_is_not_taken_back),
		cmocka_unit_test(what_cannot_be_taken_back_is_refused_with_the_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
