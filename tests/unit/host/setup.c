#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "setup_system.h"

static void generating_alone_changes_nothing(void **state) {
	struct setup_system system;
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	setup_system_generate(&system);
	assert_true(system.plan.changes.count > 3);
	char *now = setup_system_snapshot(&system);
	assert_string_equal(now, system.before);
	free(now);
	setup_system_finish(&system);
}

static void a_debian_system_is_set_up_and_back(void **state) {
	struct setup_system system;
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_assert_has(&system, "/etc/udev/rules.d/60-portal-vfio.rules",
		"DEVPATH==\"/devices/pci0000:00/0000:00:01.0/0000:??:00.0\", "
		"ATTR{vendor}==\"0x10de\", ATTR{device}==\"0x2484\", "
		"ATTR{subsystem_vendor}==\"0x1458\", ATTR{subsystem_device}==\"0x404c\", "
		"ATTR{class}==\"0x030000\", ATTR{driver_override}=\"vfio-pci\"\n");
	setup_system_assert_has(&system, "/etc/udev/rules.d/60-portal-vfio.rules",
		"/0000:??:00.1\", ATTR{vendor}==\"0x10de\", ATTR{device}==\"0x228b\"");
	setup_system_assert_lacks(&system, "/etc/udev/rules.d/60-portal-vfio.rules", "0000:01:00");
	setup_system_assert_has(
		&system, "/etc/initramfs-tools/hooks/portal-vfio", "force_load vfio-pci");
	setup_system_assert_has(&system, "/etc/default/grub",
		"GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n"
		"GRUB_CMDLINE_LINUX=\"ro intel_iommu=on iommu=pt\"\n");
	setup_system_assert_has(
		&system, "/etc/sysctl.d/60-portal-hugepages.conf", "vm.nr_hugepages = 512");
	setup_system_assert_has(
		&system, "/etc/systemd/zram-generator.conf.d/portal.conf", "[zram0]");
	assert_true(strings_contain(&system.plan.changes.commands, "update-initramfs -u -k all"));
	assert_true(strings_contain(&system.plan.changes.commands, "update-grub"));
	setup_system_undo(&system);
	setup_system_assert_as_before(&system);
	setup_system_finish(&system);
}

static void a_fedora_system_is_set_up_and_back(void **state) {
	struct setup_system system;
	setup_system_init(&system, LAYOUT_FEDORA, NULL);
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_assert_has(
		&system, "/etc/dracut.conf.d/portal-vfio.conf", "force_drivers+=\" vfio-pci \"");
	/* The word that is there already is not added again. */
	setup_system_assert_has(&system, "/etc/default/grub",
		"GRUB_CMDLINE_LINUX=\"rhgb intel_iommu=on iommu=pt\"");
	assert_true(
		strings_contain(&system.plan.changes.commands, "dracut --force --regenerate-all"));
	assert_true(
		strings_contain(&system.plan.changes.commands, "grub2-mkconfig -o /etc/grub2.cfg"));
	setup_system_undo(&system);
	setup_system_assert_as_before(&system);
	setup_system_finish(&system);
}

static void an_arch_system_is_set_up_and_back(void **state) {
	struct setup_system system;
	setup_system_init(&system, LAYOUT_ARCH, NULL);
	setup_system_generate(&system);
	setup_system_apply(&system);
	/* The modules that are there already come after it. */
	setup_system_assert_has(&system, "/etc/mkinitcpio.conf.d/portal-vfio.conf",
		"MODULES=(vfio-pci \"${MODULES[@]}\")");
	setup_system_assert_has(
		&system, "/boot/loader/entries/arch.conf", "options root=LABEL=arch rw iommu=pt\n");
	assert_true(strings_contain(&system.plan.changes.commands, "mkinitcpio -P"));
	setup_system_undo(&system);
	setup_system_assert_as_before(&system);
	setup_system_finish(&system);
}

static void a_driver_that_is_loaded_by_name_waits_for_vfio(void **state) {
	struct setup_system system;
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	setup_system_put(&system, "/etc/initramfs-tools/modules", "# modules\nnvidia-drm\n", 0644);
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_assert_has(
		&system, "/etc/modprobe.d/portal-vfio.conf", "softdep nvidia_drm pre: vfio-pci\n");
	setup_system_assert_has(&system, "/etc/modprobe.d/portal-vfio.conf",
		"reserve \"0x10de 0x2484 0x1458 0x404c 0x030000\" "
		"/sys/devices/pci0000:00/0000:00:01.0/0000:??:00.0; ");
	setup_system_finish(&system);

	setup_system_init(&system, LAYOUT_ARCH, NULL);
	setup_system_put(&system, "/etc/mkinitcpio.conf", "MODULES=(ext4 amdgpu)\n", 0644);
	system.devices[0] = machine_find(&system.machine, "0000:04:00.0");
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_assert_has(&system, "/etc/modprobe.d/portal-vfio.conf", "softdep amdgpu pre:");
	setup_system_assert_has(&system, "/etc/mkinitcpio.conf.d/portal-vfio.conf",
		"rules /etc/modprobe.d/portal-vfio.conf)");
	setup_system_finish(&system);

	/* Not what is no driver of the device's. */
	setup_system_init(&system, LAYOUT_FEDORA, NULL);
	setup_system_put(
		&system, "/etc/dracut.conf.d/x.conf", "# amdgpu\nadd_drivers+=\" xe \"\n", 0644);
	setup_system_generate(&system);
	setup_system_apply(&system);
	char *text = changes_read(system.root, "/etc/modprobe.d/portal-vfio.conf");
	assert_non_null(text);
	assert_null(strstr(text, "softdep amdgpu"));
	assert_null(strstr(text, "softdep xe"));
	free(text);
	setup_system_finish(&system);
}

/* udev may come to another device of the driver's first, and load it. */
static void every_driver_that_may_take_the_device_waits_for_vfio(void **state) {
	struct setup_system system;
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	setup_system_put(&system, "/usr/lib/modules/6.17/modules.alias",
		"# Aliases extracted from modules themselves.\n"
		"alias pci:v000010DEd*sv*sd*bc03sc00i00* nova-core\n"
		"alias pci:v000010DEd00002484sv*sd*bc*sc*i* of_this_kind\n"
		"alias pci:v000010DEd00002485sv*sd*bc*sc*i* of_another_kind\n"
		"alias pci:v*d*sv*sd*bc03sc00i00* nova_core\n"
		"alias vfio_pci:v000010DEd00002484sv*sd*bc*sc*i* variant_of_vfio\n"
		"alias pci:v000010DEd00002484sv*sd*bc*sc*i*\n"
		"alias\n\n",
		0644);
	setup_system_put(&system, "/usr/lib/modules/6.18/modules.alias",
		"alias pci:v000010DEd*sv*sd*bc03sc*i* later", 0644);
	setup_system_generate(&system);
	setup_system_apply(&system);
	char *text = changes_read(system.root, "/etc/modprobe.d/portal-vfio.conf");
	assert_non_null(text);
	const char *nova = strstr(text, "softdep nova_core pre: vfio-pci\n");
	assert_non_null(nova);
	assert_null(strstr(nova + 1, "softdep nova_core"));
	assert_non_null(strstr(text, "softdep of_this_kind pre: vfio-pci\n"));
	assert_non_null(strstr(text, "softdep later pre: vfio-pci\n"));
	assert_null(strstr(text, "of_another_kind"));
	assert_null(strstr(text, "variant_of_vfio"));
	free(text);
	setup_system_undo(&system);
	setup_system_assert_as_before(&system);
	setup_system_finish(&system);
}

static void shared_inputs_have_a_path_that_stays(void **state) {
	struct setup_system system;
	setup_system_init(&system, LAYOUT_ARCH, NULL);
	system.options = (struct setup_options){.inputs = system.inputs, .inputs_count = 2};
	setup_system_generate(&system);
	setup_system_apply(&system);
	/* The keyboard has a path of udev's, the mouse has none. */
	setup_system_assert_has(&system, "/etc/udev/rules.d/70-portal-inputs.rules",
		"ATTRS{id/bustype}==\"0011\", ATTRS{id/vendor}==\"0002\", "
		"ATTRS{id/product}==\"0007\", ");
	setup_system_assert_has(&system, "/etc/udev/rules.d/70-portal-inputs.rules",
		"SYMLINK+=\"input/by-id/portal-0011-0002-0007-event-mouse\"\n");
	const char *note = system.plan.notes.items[0];
	assert_non_null(strstr(note,
		"<source dev='/dev/input/by-path/platform-i8042-serio-0-event-kbd' grab='all' "
		"grabToggle='ctrl-ctrl' repeat='on'/>"));
	assert_non_null(
		strstr(note, "<source dev='/dev/input/by-id/portal-0011-0002-0007-event-mouse'/>"));
	setup_system_undo(&system);
	setup_system_assert_as_before(&system);
	setup_system_finish(&system);
}

static void sound_goes_to_one_person_s_session(void **state) {
	struct setup_system system;
	struct error error;
	setup_system_init(&system, LAYOUT_FEDORA, NULL);
	system.options = (struct setup_options){.audio_user = "ann"};
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_assert_has(&system, "/etc/tmpfiles.d/portal-audio.conf",
		"d /run/portal-audio 0750 ann kvm -\n");
	setup_system_assert_has(&system, "/etc/pipewire/pipewire-pulse.conf.d/portal-audio.conf",
		"unix:/run/portal-audio/pulse");
	setup_system_undo(&system);
	setup_system_assert_as_before(&system);
	struct setup_plan plan = {0};
	system.options.audio_user = "bob";
	assert_int_equal(setup_generate(&plan, system.root, &system.options, &error), -1);
	assert_non_null(strstr(error.text, "no user \"bob\""));
	setup_system_put(&system, "/etc/passwd", "ann:x:1000:1000:Ann:/home/ann:/bin/sh\n", 0644);
	system.options.audio_user = "ann";
	assert_int_equal(setup_generate(&plan, system.root, &system.options, &error), -1);
	assert_non_null(strstr(error.text, "install libvirt first"));
	setup_plan_finish(&plan);
	setup_system_finish(&system);
}

static void a_link_does_not_lead_out_of_the_tree(void **state) {
	struct setup_system system;
	struct error error;
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	char *path = changes_path(system.root, "/etc/sysctl.d");
	assert_int_equal(symlink("/tmp", path), 0);
	free(path);
	assert_int_equal(setup_generate(&system.plan, system.root, &system.options, &error), -1);
	assert_non_null(strstr(error.text, "a link in this path leads out of"));
	setup_system_finish(&system);
}

static void assert_refused(struct setup_system *system, const char *reason) {
	struct setup_plan plan = {0};
	struct error error = {""};
	assert_int_equal(setup_generate(&plan, system->root, &system->options, &error), -1);
	if (!strstr(error.text, reason)) {
		fail_msg("%s", error.text);
	}
	setup_plan_finish(&plan);
}

static void a_system_of_unknown_ways_is_refused_with_the_reason(void **state) {
	struct setup_system system;
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	system.options.own_entry = true;
	setup_system_remove(&system, "/etc/grub.d/10_linux");
	assert_refused(&system, "10_linux is not there");
	setup_system_remove(&system, "/etc/default/grub");
	assert_refused(&system, "no boot loader known here");
	setup_system_finish(&system);
	setup_system_init(&system, LAYOUT_ARCH, NULL);
	setup_system_remove(&system, "/etc/mkinitcpio.conf");
	assert_refused(&system, "initramfs in no way known");
	setup_system_finish(&system);
}

static void a_file_that_is_no_utf8_is_left_as_it_is(void **state) {
	struct setup_system system;
	struct error error;
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	setup_system_put(&system, "/etc/default/grub",
		"# f\xfcr alle\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"ro\"\n",
		0644);
	setup_system_generate(&system);
	assert_int_equal(
		changes_apply(&system.plan.changes, system.root, system.manifest, &error), -1);
	assert_non_null(strstr(error.text, "/etc/default/grub is no UTF-8"));
	setup_system_assert_as_before(&system);
	setup_system_finish(&system);
}

/* Debian and Ubuntu are on their way from initramfs-tools to dracut, and keep what is in /etc. */
static void what_makes_the_initramfs_is_told_by_its_program(void **state) {
	struct setup_system system;
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	setup_system_put(&system, "/usr/bin/dracut", "#!/bin/sh\n", 0755);
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_assert_has(&system, "/etc/dracut.conf.d/portal-vfio.conf", "vfio-pci");
	assert_true(
		strings_contain(&system.plan.changes.commands, "dracut --force --regenerate-all"));
	assert_false(strings_contain(&system.plan.changes.commands, "update-initramfs -u -k all"));
	setup_system_undo(&system);
	setup_system_assert_as_before(&system);
	setup_system_finish(&system);
}

/* Debian's package of dracut takes the place of the one that has update-initramfs, whose other
 * programs stay until somebody cleans up. */
static void debian_s_update_initramfs_tells_who_makes_it(void **state) {
	struct setup_system system;
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	setup_system_put(&system, "/usr/sbin/mkinitramfs", "#!/bin/sh\n", 0755);
	setup_system_put(&system, "/usr/bin/dracut", "#!/bin/sh\n", 0755);
	setup_system_put(&system, "/usr/sbin/update-initramfs",
		"#!/bin/sh\n# Taken from initramfs-tools\ndracut --force \"$1\"\n", 0755);
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_assert_has(&system, "/etc/dracut.conf.d/portal-vfio.conf", "vfio-pci");
	assert_true(strings_contain(&system.plan.changes.commands, "update-initramfs -u -k all"));
	assert_false(
		strings_contain(&system.plan.changes.commands, "dracut --force --regenerate-all"));
	setup_system_undo(&system);
	setup_system_assert_as_before(&system);
	setup_system_finish(&system);

	/* The other way round: dracut-core beside initramfs-tools. */
	setup_system_init(&system, LAYOUT_DEBIAN, NULL);
	setup_system_put(&system, "/usr/bin/dracut", "#!/bin/sh\n", 0755);
	setup_system_put(
		&system, "/usr/sbin/update-initramfs", "#!/bin/sh\nmkinitramfs -o \"$1\"\n", 0755);
	setup_system_generate(&system);
	setup_system_apply(&system);
	setup_system_assert_has(
		&system, "/etc/initramfs-tools/hooks/portal-vfio", "force_load vfio-pci");
	setup_system_finish(&system);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(generating_alone_changes_nothing),
		cmocka_unit_test(a_debian_system_is_set_up_and_back),
		cmocka_unit_test(a_fedora_system_is_set_up_and_back),
		cmocka_unit_test(an_arch_system_is_set_up_and_back),
		cmocka_unit_test(a_driver_that_is_loaded_by_name_waits_for_vfio),
		cmocka_unit_test(every_driver_that_may_take_the_device_waits_for_vfio),
		cmocka_unit_test(shared_inputs_have_a_path_that_stays),
		cmocka_unit_test(sound_goes_to_one_person_s_session),
		cmocka_unit_test(a_link_does_not_lead_out_of_the_tree),
		cmocka_unit_test(a_system_of_unknown_ways_is_refused_with_the_reason),
		cmocka_unit_test(a_file_that_is_no_utf8_is_left_as_it_is),
		cmocka_unit_test(what_makes_the_initramfs_is_told_by_its_program),
		cmocka_unit_test(debian_s_update_initramfs_tells_who_makes_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
