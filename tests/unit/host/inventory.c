#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "fixture.h"
#include "inventory/evdev.h"
#include "inventory/group.h"
#include "record/record.h"
#include "tree/machine_file.h"

static const struct pci_device *get(const struct machine *machine, const char *name) {
	const struct pci_device *device = machine_find(machine, name);
	if (!device) {
		fail_msg("no %s", name);
	}
	return device;
}

static bool is_held(const struct pci_device *device, enum holder_kind kind, const char *name) {
	for (size_t i = 0; i < device->holders_count; i++) {
		if (device->holders[i].kind == kind && strcmp(device->holders[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

static void an_address_is_read_in_both_forms_and_nothing_else_is(void **state) {
	struct pci_address address;
	char text[PCI_ADDRESS_TEXT];
	assert_true(pci_address_parse("1f:1f.7", &address));
	pci_address_format(&address, text);
	assert_string_equal(text, "0000:1f:1f.7");
	assert_true(pci_address_parse("10000:E1:00.0", &address));
	pci_address_format(&address, text);
	assert_string_equal(text, "10000:e1:00.0");
	static const char *const wrong[] = {"", "1:0.0", "00:20.0", "00:00.8", "00:00.0 ",
		"000:00:00.0", "0000:00:00", "0000:00:00.0/..", "00:0g.0", ":00:00.0",
		"123456789:00:00.0", "00:00.00"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (pci_address_parse(wrong[i], &address)) {
			fail_msg("taken for an address: \"%s\"", wrong[i]);
		}
	}
}

static void put(struct memory_tree *tree, const char *path, const char *text) {
	assert_int_equal(memory_tree_put_file(tree, path, text, strlen(text)), 0);
}

static void recording_a_replayed_machine_gives_the_same_file(void **state) {
	for (size_t i = 0; fixture_names[i]; i++) {
		struct memory_tree *tree = fixture_tree(fixture_names[i]);
		put(tree, "/etc/udev/rules.d/60-portal-vfio.rules", "# What is set up.\n");
		struct memory_tree *again = record_machine(memory_tree_base(tree));
		char *texts[2] = {NULL, NULL};
		const struct memory_tree *trees[2] = {tree, again};
		for (int k = 0; k < 2; k++) {
			size_t size;
			FILE *file = open_memstream(&texts[k], &size);
			machine_file_write(trees[k], file);
			fclose(file);
		}
		assert_string_equal(texts[0], texts[1]);
		free(texts[0]);
		free(texts[1]);
		tree_destroy(memory_tree_base(again));
		tree_destroy(memory_tree_base(tree));
	}
}

static void the_card_of_the_source_notes_is_read_with_its_sound_and_group(void **state) {
	struct machine machine = fixture_machine("notes-laptop");
	const struct pci_device *gpu = get(&machine, "0000:01:00.0");
	assert_int_equal(gpu->vendor, 0x10de);
	assert_int_equal(gpu->device, 0x25a0);
	assert_int_equal(gpu->category, CATEGORY_GPU);
	assert_int_equal(gpu->iommu_group, 15);
	assert_string_equal(gpu->driver, "nvidia");
	assert_null(gpu->driver_override);
	assert_false(gpu->boot_vga);
	assert_string_equal(gpu->reset_methods, "flr bus");
	assert_int_equal(gpu->rom_size, 512 * 1024);
	assert_int_equal(gpu->bars[1].size, (uint64_t)4 << 30);
	assert_int_equal(gpu->bars[1].resizable, 0x1fc0);
	assert_true(is_held(gpu, HOLDER_PROCESS, "nvidia-persiste"));
	const struct pci_device *audio = get(&machine, "01:00.1");
	assert_int_equal(audio->device, 0x2291);
	assert_int_equal(audio->category, CATEGORY_GPU_AUDIO);
	assert_int_equal(audio->iommu_group, 15);
	assert_true(is_held(audio, HOLDER_PROCESS, "wireplumber"));
	assert_int_equal(get(&machine, "00:1f.3")->category, CATEGORY_AUDIO);
	assert_int_equal(get(&machine, "00:14.3")->net_kind, NET_WIFI);
	assert_int_equal(get(&machine, "03:00.0")->net_kind, NET_ETHERNET);
	assert_true(machine.ps2_keyboard);
	assert_false(machine.ps2_mouse);
	const struct pci_device *blocker;
	assert_false(group_is_viable(&machine, 15, &blocker));
	assert_ptr_equal(blocker, gpu);
	assert_int_equal(group_endpoints(&machine, 15), 2);
	machine_finish(&machine);
}

static void sound_of_another_maker_in_the_card_s_slot_is_not_the_card_s(void **state) {
	struct machine machine = fixture_machine("single-gpu-laptop");
	assert_int_equal(get(&machine, "04:00.1")->category, CATEGORY_GPU_AUDIO);
	assert_int_equal(get(&machine, "04:00.6")->category, CATEGORY_AUDIO);
	assert_int_equal(group_endpoints(&machine, 3), 6);
	assert_true(machine.ps2_keyboard && machine.ps2_mouse);
	machine_finish(&machine);
}

static void disks_are_found_behind_encryption_volumes_and_btrfs(void **state) {
	struct machine desktop = fixture_machine("two-gpu-desktop");
	assert_true(is_held(get(&desktop, "04:00.0"), HOLDER_MOUNT, "/"));
	assert_true(is_held(get(&desktop, "04:00.0"), HOLDER_MOUNT, "/home"));
	assert_int_equal(get(&desktop, "00:17.0")->holders_count, 0);
	machine_finish(&desktop);
	struct machine laptop = fixture_machine("single-gpu-laptop");
	assert_true(is_held(get(&laptop, "02:00.0"), HOLDER_MOUNT, "/home"));
	assert_true(is_held(get(&laptop, "02:00.0"), HOLDER_SWAP, "/dev/nvme0n1p2"));
	machine_finish(&laptop);
	struct machine server = fixture_machine("many-nic-server");
	assert_true(is_held(get(&server, "5e:00.0"), HOLDER_MOUNT, "/srv/with space"));
	machine_finish(&server);
}

/* The kernel takes the driver away first, and then waits for the VM. */
static void a_device_that_is_being_unplugged_is_still_held_by_its_vm(void **state) {
	static const char device[] = "/sys/devices/pci0000:00/0000:00:1c.0/0000:05:00.0";
	struct memory_tree *tree = fixture_tree("two-gpu-desktop");
	struct machine machine;
	char *driver = must_print("%s/driver", device);
	char *override = must_print("%s/driver_override", device);
	put(tree, "/proc/4711/comm", "qemu-system-x86\n");
	memory_tree_put_link(tree, "/proc/4711/fd/9", "/dev/vfio/10");
	memory_tree_remove(tree, driver);
	for (int held = 0; held < 2; held++) {
		put(tree, override, held ? "vfio-pci\n" : "(null)\n");
		assert_int_equal(machine_read(&machine, memory_tree_base(tree), NULL), 0);
		assert_null(get(&machine, "05:00.0")->driver);
		assert_int_equal(
			is_held(get(&machine, "05:00.0"), HOLDER_PROCESS, "qemu-system-x86"), held);
		machine_finish(&machine);
	}
	free(driver);
	free(override);
	tree_destroy(memory_tree_base(tree));
}

/* Is the device held by a VM that has its own node of VFIO open? */
static bool is_open(struct memory_tree *tree, const char *name) {
	struct machine machine;
	assert_int_equal(machine_read(&machine, memory_tree_base(tree), NULL), 0);
	bool held = is_held(get(&machine, name), HOLDER_PROCESS, "qemu-system-x86");
	machine_finish(&machine);
	return held;
}

static void a_function_with_a_variant_of_vfio_pci_is_held_by_its_vm(void **state) {
	struct memory_tree *tree = fixture_tree("many-nic-server");
	put(tree, "/proc/4711/comm", "qemu-system-x86\n");
	memory_tree_put_link(tree, "/proc/4711/fd/9", "/dev/vfio/30");
	memory_tree_put_link(tree, "/sys/devices/pci0000:3a/0000:3a:02.0/0000:3c:00.2/driver",
		"../../../../bus/pci/drivers/mlx5_vfio_pci");
	assert_true(is_open(tree, "3c:00.2"));
	assert_false(is_open(tree, "3c:00.3"));
	tree_destroy(memory_tree_base(tree));
}

/* The device keeps its driver, and the part has a group of its own. */
static void a_card_that_a_vm_has_a_part_of_is_held_by_it(void **state) {
	static const char part[] = "pci0000:00/0000:00:02.0/c2177883-f1bb-47f0-914d-32a22e3a8804";
	struct memory_tree *tree = fixture_tree("notes-laptop");
	char *link = must_print("../../../devices/%s", part);
	char *group = must_print("/sys/devices/%s/iommu_group", part);
	put(tree, "/proc/4711/comm", "qemu-system-x86\n");
	memory_tree_put_link(tree, "/proc/4711/fd/9", "/dev/vfio/41");
	memory_tree_put_link(
		tree, "/sys/bus/mdev/devices/c2177883-f1bb-47f0-914d-32a22e3a8804", link);
	memory_tree_put_link(tree, group, "../../../../kernel/iommu_groups/41");
	assert_true(is_open(tree, "00:02.0"));
	assert_false(is_open(tree, "01:00.0"));
	free(link);
	free(group);
	tree_destroy(memory_tree_base(tree));
}

/* The desktop with "/" mounted so, from disks behind two of its controllers. */
static struct memory_tree *desktop_with(const char *mount) {
	static const char nvme[] = "pci0000:00/0000:00:06.0/0000:04:00.0/nvme/nvme0";
	static const char sata[] = "pci0000:00/0000:00:17.0/ata1/block/sda/sda1";
	struct memory_tree *tree = fixture_tree("two-gpu-desktop");
	char *disk = must_print("../../devices/%s/nvme0n1/nvme0n1p2", nvme);
	char *other = must_print("../../devices/%s", sata);
	put(tree, "/proc/1/mountinfo", mount);
	memory_tree_put_link(tree, "/sys/class/block/nvme0n1p2", disk);
	memory_tree_put_link(tree, "/sys/class/block/sda1", other);
	free(disk);
	free(other);
	return tree;
}

/* Is "/" behind these controllers, also of the machine that is recorded from the tree? */
static void check_root(struct memory_tree *tree, bool nvme, bool sata) {
	struct memory_tree *recording = record_machine(memory_tree_base(tree));
	struct memory_tree *trees[] = {tree, recording};
	for (int i = 0; i < 2; i++) {
		struct machine machine;
		assert_int_equal(machine_read(&machine, memory_tree_base(trees[i]), NULL), 0);
		assert_int_equal(is_held(get(&machine, "04:00.0"), HOLDER_MOUNT, "/"), nvme);
		assert_int_equal(is_held(get(&machine, "00:17.0"), HOLDER_MOUNT, "/"), sata);
		machine_finish(&machine);
		tree_destroy(memory_tree_base(trees[i]));
	}
}

static void an_nvme_disk_with_multipath_is_behind_all_its_controllers(void **state) {
	struct memory_tree *tree = desktop_with("30 1 259:9 / / rw - ext4 /dev/nvme0n1p9 rw\n");
	memory_tree_put_link(tree, "/sys/dev/block/259:9",
		"../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p9");
	put(tree, "/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/nvme0n1p9/partition",
		"9\n");
	memory_tree_put_link(tree, "/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0",
		"../../../pci0000:00/0000:00:06.0/0000:04:00.0/nvme/nvme0");
	memory_tree_put_link(tree, "/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme1",
		"../../../pci0000:00/0000:00:17.0/nvme/nvme1");
	check_root(tree, true, true);
}

/* As a kernel without an initramfs mounts it: by a name that no disk has. */
static void a_btrfs_of_no_known_disk_is_behind_all_that_have_one(void **state) {
	static const char members[] = "/sys/fs/btrfs/f2c0d5b1-0c9f-4f1e-9d3c-5a1f0e7b6a42/devices";
	struct memory_tree *tree =
		desktop_with("30 1 0:26 /@ / rw - btrfs /dev/root rw,subvol=/@\n");
	char *member = must_print("%s/nvme0n1p2", members);
	memory_tree_put_link(tree, member,
		"../../../../devices/pci0000:00/0000:00:06.0/0000:04:00.0/nvme/nvme0/nvme0n1/"
		"nvme0n1p2");
	free(member);
	check_root(tree, true, false);
}

static void a_partition_of_a_raid_is_behind_all_controllers_of_the_raid(void **state) {
	struct memory_tree *tree = desktop_with("30 1 259:9 / / rw - ext4 /dev/md126p2 rw\n");
	memory_tree_put_link(
		tree, "/sys/dev/block/259:9", "../../devices/virtual/block/md126/md126p2");
	put(tree, "/sys/devices/virtual/block/md126/md126p2/partition", "2\n");
	memory_tree_put_link(tree, "/sys/devices/virtual/block/md126/slaves/sda1",
		"../../../../pci0000:00/0000:00:17.0/ata1/block/sda/sda1");
	check_root(tree, false, true);
}

static void file_systems_on_many_disks_are_behind_all_of_them(void **state) {
	struct memory_tree *tree = desktop_with("30 1 0:30 / / rw - btrfs /dev/sda1 rw\n");
	check_root(tree, false, true);
	tree = desktop_with("30 1 0:30 / / rw - btrfs /dev/sda1 rw\n");
	memory_tree_put_link(tree, "/sys/fs/btrfs/5e1f/devices/sda1",
		"../../../../devices/pci0000:00/0000:00:17.0/ata1/block/sda/sda1");
	memory_tree_put_link(tree, "/sys/fs/btrfs/5e1f/devices/nvme0n1p2",
		"../../../../devices/pci0000:00/0000:00:06.0/0000:04:00.0/nvme/nvme0/nvme0n1");
	check_root(tree, true, true);
	tree = desktop_with("30 1 0:30 / / rw - bcachefs /dev/sda1:/dev/nvme0n1p2 rw\n");
	check_root(tree, true, true);
}

static void whoever_writes_to_a_disk_or_a_volume_on_it_holds_its_controller(void **state) {
	struct memory_tree *tree = desktop_with("30 1 0:30 / / rw - tmpfs x rw\n");
	memory_tree_put_link(tree, "/sys/class/block/dm-7", "../../devices/virtual/block/dm-7");
	memory_tree_put_link(tree, "/sys/devices/virtual/block/dm-7/slaves/sda1",
		"../../../../pci0000:00/0000:00:17.0/ata1/block/sda/sda1");
	put(tree, "/proc/4711/comm", "qemu-system-x86\n");
	memory_tree_put_link(tree, "/proc/4711/fd/9", "/dev/dm-7");
	put(tree, "/proc/4711/fdinfo/9", "pos:\t4096\nflags:\t0140002\nmnt_id:\t27\n");
	put(tree, "/proc/4712/comm", "smartd\n");
	memory_tree_put_link(tree, "/proc/4712/fd/3", "/dev/nvme0n1p2");
	put(tree, "/proc/4712/fdinfo/3", "pos:\t0\nflags:\t0104000\n");
	struct memory_tree *recording = record_machine(memory_tree_base(tree));
	struct memory_tree *trees[] = {tree, recording};
	for (int i = 0; i < 2; i++) {
		struct machine machine;
		assert_int_equal(machine_read(&machine, memory_tree_base(trees[i]), NULL), 0);
		const struct pci_device *sata = get(&machine, "00:17.0");
		assert_int_equal(sata->holders_count, 1);
		assert_true(is_held(sata, HOLDER_PROCESS, "qemu-system-x86"));
		assert_string_equal(sata->holders[0].through, "/dev/dm-7");
		assert_int_equal(get(&machine, "04:00.0")->holders_count, 0);
		machine_finish(&machine);
	}
	char *text = tree_text(memory_tree_base(recording), "/proc/4711/fdinfo/9");
	assert_string_equal(text, "flags:\t0140002");
	free(text);
	tree_destroy(memory_tree_base(recording));
	tree_destroy(memory_tree_base(tree));
}

static void a_zfs_pool_is_behind_the_disks_that_udev_saw_it_on(void **state) {
	static const char *const disks[][2] = {
		/* the label that the first and the second disk have */
		{"rpool", "rpool"},
		{"rpool", "rpool2"},
		{"tank", "rpool"},
	};
	for (size_t i = 0; i < sizeof(disks) / sizeof(disks[0]); i++) {
		struct memory_tree *tree =
			desktop_with("30 1 0:30 / / rw - zfs rpool/ROOT/debian rw\n");
		for (int k = 0; k < 2; k++) {
			char *path = must_print("/run/udev/data/b8:%d", k);
			char *text = must_print("I:1\nE:ID_SERIAL=S3CR3T\nE:ID_FS_LABEL=%s\n"
						"E:ID_FS_TYPE=zfs_member\n",
				disks[i][k]);
			put(tree, path, text);
			free(text);
			free(path);
		}
		put(tree,
			"/sys/devices/pci0000:00/0000:00:06.0/0000:04:00.0/nvme/nvme0/nvme0n1/"
			"nvme0n1p2/dev",
			"8:0\n");
		put(tree, "/sys/devices/pci0000:00/0000:00:17.0/ata1/block/sda/sda1/dev", "8:1\n");
		struct memory_tree *recording = record_machine(memory_tree_base(tree));
		char *text = tree_text(memory_tree_base(recording), "/run/udev/data/b8:0");
		assert_non_null(strstr(text, "zfs_member"));
		assert_null(strstr(text, "S3CR3T"));
		free(text);
		tree_destroy(memory_tree_base(recording));
		check_root(
			tree, strcmp(disks[i][0], "rpool") == 0, strcmp(disks[i][1], "rpool") == 0);
	}
}

static void the_default_route_is_followed_through_vlan_bond_and_bridge(void **state) {
	struct machine server = fixture_machine("many-nic-server");
	assert_true(is_held(get(&server, "3b:00.0"), HOLDER_ROUTE, "bond0.40"));
	assert_true(is_held(get(&server, "3b:00.1"), HOLDER_ROUTE, "bond0.40"));
	assert_int_equal(get(&server, "01:00.0")->holders_count, 0);
	assert_int_equal(get(&server, "3c:00.0")->sriov_total, 8);
	assert_int_equal(get(&server, "3c:00.0")->sriov_enabled, 2);
	assert_string_equal(get(&server, "3c:00.3")->physical_function, "0000:3c:00.0");
	machine_finish(&server);
	struct machine desktop = fixture_machine("two-gpu-desktop");
	assert_true(is_held(get(&desktop, "06:00.0"), HOLDER_ROUTE, "br0"));
	machine_finish(&desktop);
}

static void consoles_and_input_devices_are_found_at_their_controllers(void **state) {
	struct machine machine = fixture_machine("two-gpu-desktop");
	assert_true(is_held(get(&machine, "00:02.0"), HOLDER_CONSOLE, "vtcon1"));
	assert_true(is_held(get(&machine, "00:02.0"), HOLDER_FRAMEBUFFER, "fb0"));
	assert_true(get(&machine, "00:02.0")->boot_vga);
	assert_false(machine.ps2_keyboard || machine.ps2_mouse);
	assert_true(is_held(get(&machine, "00:14.0"), HOLDER_INPUT, "Logitech USB Keyboard"));
	assert_true(is_held(get(&machine, "00:14.0"), HOLDER_INPUT, "Logitech USB Optical Mouse"));
	assert_int_equal(get(&machine, "05:00.0")->holders_count, 0);
	machine_finish(&machine);
}

/* What is plugged into Thunderbolt is behind other ports of the machine, and goes when this does.
 */
static void a_usb4_host_is_a_part_of_the_machine(void **state) {
	assert_int_equal(category_of_class(0x0c0330), CATEGORY_USB);
	assert_int_equal(category_of_class(0x0c0320), CATEGORY_USB);
	assert_int_equal(category_of_class(0x0c0340), CATEGORY_SYSTEM);
}

/* A legacy start without a framebuffer: the built-in console of text mode, which nothing can take
 * off, against the one that a framebuffer's module brings. */
static void a_console_in_text_mode_is_on_the_boot_vga(void **state) {
	for (int bound = 0; bound < 2; bound++) {
		struct memory_tree *tree = fixture_tree("many-nic-server");
		struct machine machine;
		put(tree, "/sys/class/vtconsole/vtcon7/name", "(S) VGA+\n");
		put(tree, "/sys/class/vtconsole/vtcon7/bind", bound ? "1\n" : "0\n");
		assert_int_equal(machine_read(&machine, memory_tree_base(tree), NULL), 0);
		const struct pci_device *vga = machine_boot_vga(&machine);
		assert_non_null(vga);
		assert_int_equal(is_held(vga, HOLDER_CONSOLE, "vtcon7"), bound);
		machine_finish(&machine);
		tree_destroy(memory_tree_base(tree));
	}
}

static void a_machine_without_iommu_has_no_groups(void **state) {
	struct machine machine = fixture_machine("no-iommu");
	assert_false(machine.iommu);
	assert_int_equal(machine_last_group(&machine), -1);
	assert_int_equal(get(&machine, "01:00.0")->iommu_group, -1);
	machine_finish(&machine);
}

static void a_tree_without_pci_devices_is_an_error_with_a_sentence(void **state) {
	struct memory_tree *tree = memory_tree_create();
	struct machine machine;
	struct error error = {""};
	assert_int_equal(machine_read(&machine, memory_tree_base(tree), &error), -1);
	assert_non_null(strstr(error.text, "no PCI device"));
	tree_destroy(memory_tree_base(tree));
}

static void a_recording_leaves_out_what_is_nobody_s_business(void **state) {
	struct memory_tree *tree = fixture_tree("notes-laptop");
	static const char mounts[] = "30 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw\n"
				     "31 1 0:40 / /secret rw - fuse.x x rw\n";
	static const char routes[] =
		"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
		"wlo1\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\n"
		"wlo1\t0001A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\n";
	memory_tree_put_file(tree, "/proc/1/mountinfo", mounts, strlen(mounts));
	memory_tree_put_file(tree, "/proc/net/route", routes, strlen(routes));
	memory_tree_put_link(tree, "/proc/1204/fd/77", "/home/someone/diary");
	memory_tree_put_file(tree, "/proc/1204/environ", "SECRET=1\n", 9);
	struct memory_tree *recording = record_machine(memory_tree_base(tree));
	struct tree *kept = memory_tree_base(recording);
	char *text = tree_text(kept, "/proc/1/mountinfo");
	assert_string_equal(text, "30 1 259:2 / / rw - ext4 /dev/nvme0n1p2 rw");
	free(text);
	text = tree_text(kept, "/proc/net/route");
	assert_null(strstr(text, "A8C0"));
	assert_non_null(strstr(text, "wlo1\t00000000\t00000000\t0003"));
	free(text);
	assert_false(tree_exists(kept, "/proc/1204/fd/77"));
	assert_false(tree_exists(kept, "/proc/1204/environ"));
	assert_true(tree_exists(kept, "/proc/1204/comm"));
	tree_destroy(kept);
	tree_destroy(memory_tree_base(tree));
}

/* A tree of which a user may not see what one process has open. */
static const struct tree_interface *seen;

static int list_but_one(struct tree *tree, const char *path, struct strings *names) {
	if (strcmp(path, "/proc/1204/fd") == 0) {
		errno = EACCES;
		return -1;
	}
	return seen->list(tree, path, names);
}

static void a_recording_tells_that_holders_may_be_missing(void **state) {
	struct memory_tree *tree = fixture_tree("notes-laptop");
	struct tree *base = memory_tree_base(tree);
	struct tree_interface denied = *base->impl;
	seen = base->impl;
	denied.list = list_but_one;
	base->impl = &denied;
	struct memory_tree *recording = record_machine(base);
	struct memory_tree *again = record_machine(memory_tree_base(recording));
	base->impl = seen;
	struct memory_tree *trees[] = {tree, recording, again};
	for (size_t i = 0; i < 3; i++) {
		struct machine machine;
		assert_int_equal(machine_read(&machine, memory_tree_base(trees[i]), NULL), 0);
		assert_int_equal(machine.unseen_processes, i > 0);
		machine_finish(&machine);
		tree_destroy(memory_tree_base(trees[i]));
	}
}

static void inputs_are_found_by_the_paths_that_stay(void **state) {
	struct memory_tree *tree = fixture_tree("notes-laptop");
	struct machine machine = fixture_machine("notes-laptop");
	struct evdevs evdevs;
	struct error error;
	evdevs_read(&evdevs, &machine, memory_tree_base(tree));
	assert_int_equal(evdevs.count, 2);
	const struct evdev *keyboard = evdevs_find(&evdevs, "event1", &error);
	assert_non_null(keyboard);
	assert_true(keyboard->keyboard);
	assert_null(keyboard->controller);
	assert_string_equal(
		keyboard->stable, "/dev/input/by-path/platform-i8042-serio-0-event-kbd");
	const struct evdev *mouse = evdevs_find(
		&evdevs, "/dev/input/by-id/usb-Logitech_USB_Optical_Mouse-event-mouse", &error);
	assert_non_null(mouse);
	assert_false(mouse->keyboard);
	assert_string_equal(mouse->node, "/dev/input/event6");
	assert_string_equal(mouse->controller->name, "0000:00:14.0");
	assert_null(evdevs_find(&evdevs, "event9", &error));
	assert_non_null(strstr(error.text, "event9 is no keyboard or mouse"));
	evdevs_finish(&evdevs);
	machine_finish(&machine);
	tree_destroy(memory_tree_base(tree));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_read_in_both_forms_and_nothing_else_is),
		cmocka_unit_test(inputs_are_found_by_the_paths_that_stay),
		cmocka_unit_test(recording_a_replayed_machine_gives_the_same_file),
		cmocka_unit_test(the_card_of_the_source_notes_is_read_with_its_sound_and_group),
		cmocka_unit_test(sound_of_another_maker_in_the_card_s_slot_is_not_the_card_s),
		cmocka_unit_test(disks_are_found_behind_encryption_volumes_and_btrfs),
		cmocka_unit_test(an_nvme_disk_with_multipath_is_behind_all_its_controllers),
		cmocka_unit_test(a_btrfs_of_no_known_disk_is_behind_all_that_have_one),
		cmocka_unit_test(a_partition_of_a_raid_is_behind_all_controllers_of_the_raid),
		cmocka_unit_test(file_systems_on_many_disks_are_behind_all_of_them),
		cmocka_unit_test(whoever_writes_to_a_disk_or_a_volume_on_it_holds_its_controller),
		cmocka_unit_test(a_zfs_pool_is_behind_the_disks_that_udev_saw_it_on),
		cmocka_unit_test(the_default_route_is_followed_through_vlan_bond_and_bridge),
		cmocka_unit_test(a_device_that_is_being_unplugged_is_still_held_by_its_vm),
		cmocka_unit_test(a_function_with_a_variant_of_vfio_pci_is_held_by_its_vm),
		cmocka_unit_test(a_card_that_a_vm_has_a_part_of_is_held_by_it),
		cmocka_unit_test(consoles_and_input_devices_are_found_at_their_controllers),
		cmocka_unit_test(a_console_in_text_mode_is_on_the_boot_vga),
		cmocka_unit_test(a_usb4_host_is_a_part_of_the_machine),
		cmocka_unit_test(a_machine_without_iommu_has_no_groups),
		cmocka_unit_test(a_tree_without_pci_devices_is_an_error_with_a_sentence),
		cmocka_unit_test(a_recording_leaves_out_what_is_nobody_s_business),
		cmocka_unit_test(a_recording_tells_that_holders_may_be_missing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
