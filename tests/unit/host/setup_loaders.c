/* What portal-host setup writes for boot loaders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "setup_system.h"

static bool has_note(const struct setup_system *system, const char *words) {
	bool found = false;
	for (size_t i = 0; i < system->plan.notes.count; i++) {
		found |= strstr(system->plan.notes.items[i], words) != NULL;
	}
	return found;
}

/* GRUB puts the words of GRUB_CMDLINE_LINUX_DEFAULT behind the others, and both count. */
static void what_keeps_the_iommu_off_is_taken_out_of_grubs_words(void **state) {
	struct setup_system system;
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	setup_system_put(&system, "/etc/default/grub",
		"# not iommu=off\nGRUB_DEFAULT=0\n"
		"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet  splash intel_iommu=off iommu=off\"\n"
		"GRUB_CMDLINE_LINUX=\"iommu=off ro xiommu=off\"\n",
		0640);
	setup_system_put(&system, "/etc/default/grub.d/50-cloud.cfg",
		"  GRUB_CMDLINE_LINUX_DEFAULT='amd_iommu=off'\n", 0644);
	static const char other[] = "GRUB_TIMEOUT=0 # iommu=off\n";
	setup_system_put(&system, "/etc/default/grub.d/60-other.cfg", other, 0644);
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_assert_has(&system, "/etc/default/grub",
		"# not iommu=off\nGRUB_DEFAULT=0\n"
		"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet  splash\"\n"
		"GRUB_CMDLINE_LINUX=\"ro xiommu=off intel_iommu=on iommu=pt\"\n");
	setup_system_assert_has(
		&system, "/etc/default/grub.d/50-cloud.cfg", "  GRUB_CMDLINE_LINUX_DEFAULT=''\n");
	setup_system_assert_has(&system, "/etc/default/grub.d/60-other.cfg", other);
	assert_true(has_note(&system, "\"intel_iommu=off\" is taken out"));
	assert_true(has_note(&system, "\"iommu=off\" is taken out"));
	assert_true(has_note(&system, "\"amd_iommu=off\" is taken out"));
	setup_system_undo(&system);
	setup_system_assert_as_before(&system);
	setup_system_finish(&system);
	/* Huge pages alone need no IOMMU. */
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	static const char off[] = "GRUB_CMDLINE_LINUX=\"iommu=off\"\n";
	setup_system_put(&system, "/etc/default/grub", off, 0640);
	system.options.devices_count = 0;
	system.options.hugepages_1g = 4;
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_assert_has(&system, "/etc/default/grub",
		"GRUB_CMDLINE_LINUX=\"iommu=off hugepagesz=1G hugepages=4\"\n");
	assert_false(has_note(&system, "taken out"));
	setup_system_finish(&system);
}

/* As a shell reads it when the menu is made. */
static void quotes_and_long_lines_of_grubs_words_stay_whole(void **state) {
	static const struct {
		const char *before, *after;
	} files[] = {
		{"GRUB_CMDLINE_LINUX=\"acpi_osi=\\\"Windows 2015\\\" ro\"\n",
			"GRUB_CMDLINE_LINUX=\"acpi_osi=\\\"Windows 2015\\\" ro intel_iommu=on "
			"iommu=pt\"\n"},
		{"GRUB_CMDLINE_LINUX='acpi_osi=\"!Windows 2015\"' # mine\n",
			"GRUB_CMDLINE_LINUX='acpi_osi=\"!Windows 2015\" intel_iommu=on iommu=pt' # "
			"mine\n"},
		{"GRUB_CMDLINE_LINUX=\"ro \\\n\tquiet\"\n",
			"GRUB_CMDLINE_LINUX=\"intel_iommu=on iommu=pt ro \\\n\tquiet\"\n"},
		{"GRUB_CMDLINE_LINUX+=\" root=ZFS=rpool\"\n",
			"GRUB_CMDLINE_LINUX+=\" root=ZFS=rpool\"\n"
			"GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX intel_iommu=on iommu=pt\"\n"},
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct setup_system system;
		setup_system_init(&system, LAYOUT_DEBIAN, NULL);
		setup_system_put(&system, "/etc/default/grub", files[i].before, 0644);
		setup_system_generate(&system);
		setup_system_apply(&system);
		setup_system_assert_has(&system, "/etc/default/grub", files[i].after);
		setup_system_undo(&system);
		setup_system_assert_as_before(&system);
		setup_system_finish(&system);
	}
}

static void what_keeps_the_iommu_off_is_taken_out_of_entries(void **state) {
	struct setup_system system;
	setup_system_init(&system, LAYOUT_ARCH, NULL);
	static const char entry[] = "/boot/loader/entries/arch.conf";
	setup_system_put(&system, entry,
		"title Arch Linux\nlinux /vmlinuz-linux\noptions amd_iommu=off rw iommu=off\n",
		0755);
	system.options.own_entry = true;
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_assert_has(&system, entry, "\noptions rw iommu=pt\n");
	setup_system_assert_has(&system, "/boot/loader/entries/arch-portal.conf",
		"\noptions rw iommu=pt portal.vfio=1\n");
	assert_true(has_note(&system, "\"amd_iommu=off\" is taken out"));
	setup_system_undo(&system);
	setup_system_assert_as_before(&system);
	setup_system_finish(&system);
}

static void an_entry_of_systemd_boot_leaves_the_usual_one_without_the_devices(void **state) {
	struct setup_system system;
	setup_system_init(&system, LAYOUT_ARCH, NULL);
	system.options.own_entry = true;
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_assert_has(&system, "/boot/loader/entries/arch-portal.conf",
		"title Arch Linux (devices for VMs)\n");
	setup_system_assert_has(
		&system, "/boot/loader/entries/arch-portal.conf", " portal.vfio=1\n");
	/* The counter of tries is the original's. */
	setup_system_assert_has(
		&system, "/boot/loader/entries/arch-lts-portal.conf", " portal.vfio=1\n");
	setup_system_assert_has(
		&system, "/etc/udev/rules.d/60-portal-vfio.rules", "IMPORT{cmdline}");
	setup_system_assert_has(
		&system, "/etc/udev/rules.d/60-portal-vfio.rules", "ENV{portal.vfio}==\"1\"");
	setup_system_assert_lacks(&system, "/boot/loader/entries/arch.conf", "portal.vfio");
	setup_system_undo(&system);
	setup_system_assert_as_before(&system);
	setup_system_finish(&system);
}

/* Debian's update-initramfs calls kernel-install, which makes the entry anew. */
static void entries_that_are_made_anew_keep_the_words(void **state) {
	static const char entry[] = "/boot/efi/loader/entries/1f-7.2.conf";
	struct setup_system system;
	struct changes_undone undone;
	struct error error;
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	setup_system_remove(&system, "/etc/default/grub");
	setup_system_put(&system, entry,
		"# Boot Loader Specification type#1 entry\n"
		"# File created by /usr/lib/kernel/install.d/90-loaderentry.install (systemd 262)\n"
		"title      Debian\noptions    root=UUID=1 ro a='b c'\nlinux      /1f/7.2/linux\n",
		0644);
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_assert_has(
		&system, entry, "options    root=UUID=1 ro a='b c' intel_iommu=on iommu=pt\n");
	setup_system_assert_has(
		&system, "/etc/kernel/cmdline", "root=UUID=1 ro a='b c' intel_iommu=on iommu=pt\n");
	assert_int_equal(changes_undo(system.root, system.manifest, &undone, &error), 0);
	assert_int_equal(undone.commands.count, 3);
	assert_string_equal(undone.commands.items[0],
		"echo 'root=UUID=1 ro a='\\''b c'\\''' >/etc/kernel/cmdline");
	assert_string_equal(undone.commands.items[1], "update-initramfs -u -k all");
	assert_string_equal(undone.commands.items[2], "rm /etc/kernel/cmdline");
	changes_undone_finish(&undone);
	setup_system_assert_as_before(&system);
	setup_system_finish(&system);
}

/* People write entries by hand, and so does a command line that begins with a blank. */
static void blanks_in_an_entry_make_no_difference(void **state) {
	static const char entry[] = "/boot/efi/loader/entries/1f-7.2.conf";
	static const char start[] =
		"# File created by /usr/lib/kernel/install.d/90-loaderentry.install (systemd 262)\n"
		"title      Debian\n";
	static const char *const options[] = {
		"options      root=UUID=1 ro",
		"  options root=UUID=1 ro",
		"options    root=UUID=1  ro\t",
		"\toptions\troot=UUID=1 ro",
	};
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct setup_system system;
		struct changes_undone undone;
		struct error error;
		setup_system_init(&system, LAYOUT_DEBIAN, NULL);
		setup_system_remove(&system, "/etc/default/grub");
		char *text = must_print("%s%s\nlinux      /1f/7.2/linux\n", start, options[i]);
		setup_system_put(&system, entry, text, 0644);
		free(text);
		setup_system_generate(&system);
		setup_system_apply(&system);
		setup_system_assert_has(&system, entry, " intel_iommu=on iommu=pt\nlinux ");
		setup_system_assert_has(
			&system, "/etc/kernel/cmdline", " ro intel_iommu=on iommu=pt\n");
		/* As kernel-install makes it anew. */
		text = must_print("%soptions    root=UUID=1 ro intel_iommu=on iommu=pt\n"
				  "linux      /1f/7.2/linux\n",
			start);
		setup_system_put(&system, entry, text, 0644);
		free(text);
		assert_int_equal(changes_undo(system.root, system.manifest, &undone, &error), 0);
		assert_int_equal(undone.commands.count, 3);
		changes_undone_finish(&undone);
		setup_system_assert_as_before(&system);
		setup_system_finish(&system);
	}
}

static void an_entry_of_grub_comes_from_a_script_of_its_own(void **state) {
	struct setup_system system;
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	system.options.own_entry = true;
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_assert_has(&system, "/etc/grub.d/11_portal_vfio", "portal.vfio=1");
	assert_int_equal(changes_mode(system.root, "/etc/grub.d/11_portal_vfio"), 0755);
	setup_system_assert_lacks(&system, "/etc/default/grub", "portal.vfio");
	setup_system_undo(&system);
	setup_system_assert_as_before(&system);
	setup_system_finish(&system);

	/* Where the menu is made of entries, a new kernel has to bring ours along. */
	setup_system_init(&system, LAYOUT_FEDORA, NULL);
	system.options.own_entry = true;
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_assert_has(&system, "/etc/grub.d/11_portal_vfio", "GRUB_ENABLE_BLSCFG=false");
	setup_system_assert_has(&system, "/etc/kernel/install.d/99-portal-vfio.install",
		"grub2-mkconfig -o /etc/grub2.cfg");
	setup_system_assert_has(&system, "/boot/loader/entries/1f-6.17.1-300.fc43.x86_64.conf",
		"options root=UUID=1 ro rhgb intel_iommu=on iommu=pt\n");
	setup_system_assert_has(
		&system, "/etc/kernel/cmdline", "root=UUID=1 ro rhgb intel_iommu=on iommu=pt\n");
	setup_system_undo(&system);
	setup_system_assert_as_before(&system);
	setup_system_finish(&system);
}

static void pages_of_a_gigabyte_are_asked_for_at_boot(void **state) {
	struct setup_system system;
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	system.options.devices_count = 0;
	system.options.hugepages_1g = 16;
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_assert_has(&system, "/etc/default/grub",
		"GRUB_CMDLINE_LINUX=\"ro hugepagesz=1G hugepages=16\"\n");
	setup_system_assert_has(
		&system, "/etc/systemd/system/dev-hugepages1G.mount", "Options=pagesize=1G");
	setup_system_assert_has(
		&system, "/etc/sysctl.d/60-portal-hugepages.conf", "vm.nr_hugepages = 512");
	setup_system_undo(&system);
	setup_system_assert_as_before(&system);
	setup_system_finish(&system);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_keeps_the_iommu_off_is_taken_out_of_grubs_words),
		cmocka_unit_test(quotes_and_long_lines_of_grubs_words_stay_whole),
		cmocka_unit_test(what_keeps_the_iommu_off_is_taken_out_of_entries),
		cmocka_unit_test(an_entry_of_systemd_boot_leaves_the_usual_one_without_the_devices),
		cmocka_unit_test(entries_that_are_made_anew_keep_the_words),
		cmocka_unit_test(blanks_in_an_entry_make_no_difference),
		cmocka_unit_test(an_entry_of_grub_comes_from_a_script_of_its_own),
		cmocka_unit_test(pages_of_a_gigabyte_are_asked_for_at_boot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
