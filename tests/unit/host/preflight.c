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
#include "memory/memory_host.h"
#include "transaction/preflight.h"

struct flight {
	struct machine machine;
	struct plan plan;
	struct findings findings;
};

static void begin_with(struct flight *flight, const char *fixture, const char *address,
	const char *unguarded, unsigned flags) {
	*flight = (struct flight){.machine = fixture_machine(fixture)};
	struct strings names = {0}, let_go = {0};
	strings_add(&names, address);
	if (unguarded) {
		strings_add(&let_go, unguarded);
	}
	plan_take(&flight->plan, &flight->machine, &names);
	preflight_take(&flight->findings, &flight->plan, &flight->machine, &names, &let_go, flags);
	strings_finish(&names);
	strings_finish(&let_go);
}

static void begin(
	struct flight *flight, const char *fixture, const char *address, const char *unguarded) {
	begin_with(flight, fixture, address, unguarded, 0);
}

static void end(struct flight *flight) {
	findings_finish(&flight->findings);
	plan_finish(&flight->plan);
	machine_finish(&flight->machine);
}

static void a_card_in_use_is_refused_by_the_name_of_its_holder(void **state) {
	struct flight flight;
	begin(&flight, "notes-laptop", "0000:01:00.0", NULL);
	assert_true(fixture_finds(&flight.findings, true,
		"0000:01:00.0 is in use: nvidia-persiste (pid 1390) has /dev/nvidia0 open"));
	assert_true(fixture_finds(
		&flight.findings, true, "0000:01:00.1 is in use: wireplumber (pid 1411)"));
	assert_true(findings_block(&flight.findings));
	end(&flight);
}

/* With three nodes of each open, as of NVIDIA's cards. */
static void add_users(struct flight *flight, const char *address, int first, int count) {
	static const char *const nodes[] = {
		"/dev/dri/card0", "/dev/dri/renderD128", "/dev/nvidia0"};
	struct pci_device *device = machine_find(&flight->machine, address);
	for (int pid = first; pid < first + count; pid++) {
		for (size_t i = 0; i < 3; i++) {
			machine_add_holder(device, HOLDER_PROCESS, "user", nodes[i], pid);
		}
	}
}

static void check_users(struct flight *flight) {
	struct strings names = {0};
	strings_add(&names, "0000:05:00.0");
	preflight_take(&flight->findings, &flight->plan, &flight->machine, &names, &names, 0);
	strings_finish(&names);
}

static void one_reason_names_everybody_once(void **state) {
	struct flight flight;
	struct error error;
	begin(&flight, "two-gpu-desktop", "0000:05:00.0", NULL);
	assert_int_equal(findings_refuse(&flight.findings, &error), 0);
	add_users(&flight, "0000:05:00.0", 7, 3);
	check_users(&flight);
	assert_int_equal(findings_refuse(&flight.findings, &error), -1);
	assert_string_equal(error.text,
		"0000:05:00.0 is in use: user (pid 7) has /dev/dri/card0 open, "
		"user (pid 8) has /dev/dri/card0 open, user (pid 9) has /dev/dri/card0 open");
	end(&flight);
}

static void more_than_a_reason_holds_are_counted(void **state) {
	struct flight flight;
	struct error error;
	begin(&flight, "two-gpu-desktop", "0000:05:00.0", NULL);
	add_users(&flight, "0000:05:00.0", 1000, 200);
	check_users(&flight);
	assert_int_equal(findings_refuse(&flight.findings, &error), -1);
	size_t named = 0, left = 0;
	for (const char *at = error.text; (at = strstr(at, "(pid ")); at++) {
		named++;
	}
	const char *rest = strstr(error.text, " open; and ");
	assert_non_null(rest);
	assert_int_equal(sscanf(rest, " open; and %zu more", &left), 1);
	assert_string_equal(rest + strlen(rest) - strlen(" more"), " more");
	assert_true(named > 10);
	assert_int_equal(named + left, 200);
	end(&flight);
}

static void a_free_card_is_let_through(void **state) {
	struct flight flight;
	begin(&flight, "two-gpu-desktop", "0000:05:00.0", NULL);
	assert_int_equal(flight.findings.count, 0);
	assert_int_equal(flight.plan.devices_count, 1);
	end(&flight);
}

static void a_bound_part_of_the_machine_in_the_group_is_named(void **state) {
	struct flight flight;
	begin(&flight, "two-gpu-desktop", "0000:00:1f.3", NULL);
	assert_true(fixture_finds(&flight.findings, true,
		"0000:00:1f.4 (system, driver i801_smbus) shares IOMMU group 8"));
	end(&flight);
}

static void the_guard_stands_before_explicit_commands_too(void **state) {
	struct flight flight;
	begin(&flight, "two-gpu-desktop", "0000:06:00.0", NULL);
	assert_true(fixture_finds(&flight.findings, true, "survival guard (default-route)"));
	end(&flight);
	begin(&flight, "two-gpu-desktop", "0000:06:00.0", "0000:06:00.0");
	assert_false(findings_block(&flight.findings));
	end(&flight);
	begin(&flight, "two-gpu-desktop", "0000:00:14.0", NULL);
	assert_true(fixture_finds(&flight.findings, true, "survival guard (input)"));
	end(&flight);
	/* Unguarded or not, a mounted disk is in use. */
	begin(&flight, "two-gpu-desktop", "0000:04:00.0", "0000:04:00.0");
	assert_true(
		fixture_finds(&flight.findings, true, "/ is mounted from /dev/mapper/luks-root"));
	end(&flight);
}

static void without_iommu_or_for_a_bridge_there_is_no_way(void **state) {
	struct flight flight;
	begin(&flight, "no-iommu", "0000:02:00.0", NULL);
	assert_true(fixture_finds(&flight.findings, true, "in no IOMMU group: the IOMMU is off"));
	end(&flight);
	begin(&flight, "many-nic-server", "0000:3a:00.0", NULL);
	assert_true(fixture_finds(&flight.findings, true, "is a bridge"));
	end(&flight);
}

static void virtual_functions_and_missing_resets_are_told(void **state) {
	struct flight flight;
	begin(&flight, "many-nic-server", "0000:3c:00.0", NULL);
	assert_true(fixture_finds(&flight.findings, true, "has 2 virtual functions"));
	end(&flight);
	begin(&flight, "single-gpu-laptop", "0000:04:00.0", NULL);
	assert_true(fixture_finds(&flight.findings, false, "0000:04:00.2 cannot be reset"));
	end(&flight);
}

/* Intel's VMD, which is a storage controller to the kernel, and what it drives has a domain of its
 * own. */
static void what_has_other_devices_behind_it_is_not_taken(void **state) {
	struct memory_tree *tree = fixture_tree("two-gpu-desktop");
	struct machine machine;
	static const char behind[] =
		"/sys/devices/pci0000:00/0000:00:17.0/pci10000:e0/10000:e0:06.0";
	char *vendor = must_print("%s/vendor", behind),
	     *class_code = must_print("%s/class", behind);
	memory_tree_put_file(tree, vendor, "0x8086\n", 7);
	memory_tree_put_file(tree, class_code, "0x010802\n", 9);
	memory_tree_put_link(tree, "/sys/bus/pci/devices/10000:e0:06.0",
		"../../../devices/pci0000:00/0000:00:17.0/pci10000:e0/10000:e0:06.0");
	assert_int_equal(machine_read(&machine, memory_tree_base(tree), NULL), 0);
	struct flight flight = {0};
	struct strings names = {0};
	strings_add(&names, "0000:00:17.0");
	plan_take(&flight.plan, &machine, &names);
	preflight_take(&flight.findings, &flight.plan, &machine, &names, &names, 0);
	assert_true(fixture_finds(
		&flight.findings, true, "10000:e0:06.0 is behind 0000:00:17.0, and would vanish"));
	findings_finish(&flight.findings);
	plan_finish(&flight.plan);
	strings_finish(&names);
	machine_finish(&machine);
	free(class_code);
	free(vendor);
	tree_destroy(memory_tree_base(tree));
}

static void memory_is_compared_with_what_may_be_locked_and_what_there_is(void **state) {
	static const char limits[] =
		"Limit                     Soft Limit           Hard Limit           Units\n"
		"Max locked memory         8388608              8388608              bytes\n";
	static const char meminfo[] = "MemTotal: 16000000 kB\nMemAvailable: 4194304 kB\n";
	struct memory_tree *tree = memory_tree_create();
	memory_tree_put_file(tree, "/proc/self/limits", limits, strlen(limits));
	memory_tree_put_file(tree, "/proc/meminfo", meminfo, strlen(meminfo));
	struct flight flight = {0};
	struct preflight_vm vm = {.memory = 4ULL << 20};
	preflight_memory(&flight.findings, memory_tree_base(tree), &vm);
	assert_int_equal(flight.findings.count, 0);
	vm.memory = 4ULL << 30;
	preflight_memory(&flight.findings, memory_tree_base(tree), &vm);
	assert_true(fixture_finds(&flight.findings, false, "at most 8 MiB may be locked"));
	assert_false(findings_block(&flight.findings));
	vm.memory += 1024;
	preflight_memory(&flight.findings, memory_tree_base(tree), &vm);
	assert_true(fixture_finds(&flight.findings, true, "4096 MiB are available"));
	findings_finish(&flight.findings);
	/* Its heaps are locked, too, but may be there already. */
	vm = (struct preflight_vm){.memory = 4ULL << 30, .heaps = 2ULL << 20, .heaps_missing = 1};
	preflight_memory(&flight.findings, memory_tree_base(tree), &vm);
	assert_true(fixture_finds(
		&flight.findings, true, "wants 4096 MiB with its heaps, all of it locked, and"));
	findings_finish(&flight.findings);
	vm = (struct preflight_vm){.memory = 4ULL << 30, .heaps = 1ULL << 20, .limit = 4ULL << 30};
	preflight_memory(&flight.findings, memory_tree_base(tree), &vm);
	assert_true(fixture_finds(&flight.findings, true,
		"4097 MiB of the VM have to be locked, and its definition"));
	findings_finish(&flight.findings);
	vm.limit = 0;
	vm.starter_limit = 4ULL << 30;
	preflight_memory(&flight.findings, memory_tree_base(tree), &vm);
	assert_true(fixture_finds(
		&flight.findings, true, "libvirt may lock 4096 MiB and cannot raise that"));
	findings_finish(&flight.findings);
	vm.starter_limit += 1ULL << 20;
	preflight_memory(&flight.findings, memory_tree_base(tree), &vm);
	assert_false(findings_block(&flight.findings));
	findings_finish(&flight.findings);
	tree_destroy(memory_tree_base(tree));
}

static void huge_pages_come_from_their_pool(void **state) {
	struct memory_tree *tree = memory_tree_create();
	const char *small = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";
	const char *large = "/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages";
	static const char meminfo[] = "MemAvailable: 1024 kB\nHugepagesize: 2048 kB\n";
	memory_tree_put_file(tree, "/proc/meminfo", meminfo, strlen(meminfo));
	memory_tree_put_file(tree, small, "512\n", 4);
	memory_tree_put_file(tree, large, "3\n", 2);
	struct flight flight = {0};
	struct preflight_vm vm = {.memory = 1ULL << 30, .page = MEMORY_PAGE_DEFAULT};
	preflight_memory(&flight.findings, memory_tree_base(tree), &vm);
	assert_false(findings_block(&flight.findings));
	vm.memory += 1ULL << 20;
	preflight_memory(&flight.findings, memory_tree_base(tree), &vm);
	assert_true(fixture_finds(&flight.findings, true,
		"wants 1025 MiB of huge pages of 2 MiB, and 1024 MiB of them are free"));
	findings_finish(&flight.findings);
	/* One size does not stand in for the other. */
	vm.page = 1ULL << 30;
	vm.memory = 3ULL << 30;
	preflight_memory(&flight.findings, memory_tree_base(tree), &vm);
	assert_false(findings_block(&flight.findings));
	/* Heaps are in ordinary pages. */
	vm.heaps = 2ULL << 20;
	preflight_memory(&flight.findings, memory_tree_base(tree), &vm);
	assert_false(findings_block(&flight.findings));
	vm.heaps_missing = vm.heaps;
	preflight_memory(&flight.findings, memory_tree_base(tree), &vm);
	assert_true(fixture_finds(&flight.findings, true,
		"wants 2 MiB for its heaps, all of it locked, and 1 MiB are available"));
	findings_finish(&flight.findings);
	tree_destroy(memory_tree_base(tree));
}

static void a_console_goes_with_its_card_only_when_that_is_asked_for(void **state) {
	struct flight flight;
	const char *card = "0000:03:00.0";
	begin(&flight, "many-nic-server", card, card);
	assert_true(
		fixture_finds(&flight.findings, true, "the console vtcon1 is shown through it"));
	assert_true(fixture_finds(&flight.findings, true, "the framebuffer fb0 is on it"));
	end(&flight);
	begin_with(&flight, "many-nic-server", card, card, PREFLIGHT_RELEASE_CONSOLE);
	assert_true(
		fixture_finds(&flight.findings, false, "the console vtcon1 is shown through it"));
	assert_false(findings_block(&flight.findings));
	end(&flight);
	/* The guard is passed by name only, and processes are in the way all the same. */
	begin_with(&flight, "many-nic-server", card, NULL, PREFLIGHT_RELEASE_CONSOLE);
	assert_true(fixture_finds(&flight.findings, true, "survival guard (console)"));
	end(&flight);
	begin_with(&flight, "two-gpu-desktop", "0000:00:02.0", "0000:00:02.0",
		PREFLIGHT_RELEASE_CONSOLE);
	assert_true(fixture_finds(
		&flight.findings, true, "kwin_wayland (pid 1502) has /dev/dri/card0 open"));
	end(&flight);
}

static void a_framebuffer_of_the_firmware_is_on_the_boot_vga(void **state) {
	struct memory_tree *tree = fixture_tree("many-nic-server");
	struct machine machine;
	memory_tree_put_link(tree, "/sys/class/graphics/fb0",
		"../../devices/platform/efi-framebuffer.0/graphics/fb0");
	memory_tree_put_directory(tree, "/sys/devices/platform/efi-framebuffer.0/graphics/fb0");
	memory_tree_put_link(tree, "/sys/devices/platform/efi-framebuffer.0/driver",
		"../../../bus/platform/drivers/efi-framebuffer");
	memory_tree_put_link(tree, "/sys/bus/platform/devices/efi-framebuffer.0",
		"../../../devices/platform/efi-framebuffer.0");
	assert_int_equal(machine_read(&machine, memory_tree_base(tree), NULL), 0);
	struct flight flight = {0};
	struct strings names = {0};
	strings_add(&names, "0000:03:00.0");
	plan_take(&flight.plan, &machine, &names);
	preflight_take(&flight.findings, &flight.plan, &machine, &names, &names, 0);
	assert_true(fixture_finds(
		&flight.findings, true, "the framebuffer fb0 of the firmware is on it"));
	assert_true(fixture_finds(&flight.findings, true, "the console vtcon1"));
	findings_finish(&flight.findings);
	preflight_take(&flight.findings, &flight.plan, &machine, &names, &names,
		PREFLIGHT_RELEASE_CONSOLE);
	assert_true(fixture_finds(
		&flight.findings, false, "the framebuffer fb0 of the firmware is on it"));
	assert_false(findings_block(&flight.findings));
	findings_finish(&flight.findings);
	plan_finish(&flight.plan);
	machine_finish(&machine);
	/* Without a framebuffer device of its own it is there all the same. */
	memory_tree_remove(tree, "/sys/class/graphics/fb0");
	memory_tree_remove(tree, "/sys/devices/platform/efi-framebuffer.0/graphics");
	assert_int_equal(machine_read(&machine, memory_tree_base(tree), NULL), 0);
	plan_take(&flight.plan, &machine, &names);
	preflight_take(&flight.findings, &flight.plan, &machine, &names, &names, 0);
	assert_true(fixture_finds(
		&flight.findings, true, "the framebuffer efi-framebuffer.0 of the firmware"));
	findings_finish(&flight.findings);
	plan_finish(&flight.plan);
	strings_finish(&names);
	machine_finish(&machine);
	tree_destroy(memory_tree_base(tree));
}

static void put(struct memory_tree *tree, const char *path, const char *text) {
	assert_int_equal(memory_tree_put_file(tree, path, text, strlen(text)), 0);
}

/* Is it refused for memory that it is always to reach? */
static bool is_tied(const char *fixture, const char *regions_of, const char *regions,
	const char *release, const char *address) {
	struct memory_tree *tree = fixture_tree(fixture);
	struct flight flight = {0};
	struct strings names = {0};
	put(tree, regions_of, regions);
	put(tree, "/proc/sys/kernel/osrelease", release);
	assert_int_equal(machine_read(&flight.machine, memory_tree_base(tree), NULL), 0);
	strings_add(&names, address);
	plan_take(&flight.plan, &flight.machine, &names);
	preflight_take(
		&flight.findings, &flight.plan, &flight.machine, &names, &(struct strings){0}, 0);
	bool tied = fixture_finds(&flight.findings, true,
		"the firmware has memory that it is always to reach, and the kernel gives no such "
		"device to a VM");
	strings_finish(&names);
	tree_destroy(memory_tree_base(tree));
	end(&flight);
	return tied;
}

static void a_device_that_the_firmware_ties_to_memory_is_refused(void **state) {
	static const char intel[] = "/sys/kernel/iommu_groups/25/reserved_regions";
	static const char msi[] = "0x00000000fee00000 0x00000000feefffff msi\n";
	static const char loose[] = "0x000000007b000000 0x000000007f7fffff direct-relaxable\n"
				    "0x00000000fee00000 0x00000000feefffff msi\n";
	static const char tied[] = "0x00000000bdf83000 0x00000000bdf84fff direct\n"
				   "0x00000000fee00000 0x00000000feefffff msi\n";
	static const char nic[] = "0000:3c:00.1";
	assert_false(is_tied("many-nic-server", intel, msi, "6.12.1\n", nic));
	assert_false(is_tied("many-nic-server", intel, loose, "6.12.1\n", nic));
	assert_true(is_tied("many-nic-server", intel, tied, "6.12.1\n", nic));
	assert_true(is_tied("many-nic-server", intel, tied, "6.1.0-32-amd64\n", nic));
	assert_false(is_tied("many-nic-server", intel, tied, "6.12.1\n", "0000:3c:00.0"));
	/* Kernels before Linux 6.6 did so with AMD's IOMMU. */
	struct machine machine = fixture_machine("single-gpu-laptop");
	const struct pci_device *card = machine_find(&machine, "0000:04:00.0");
	char *regions =
		must_print("/sys/kernel/iommu_groups/%d/reserved_regions", card->iommu_group);
	assert_true(is_tied("single-gpu-laptop", regions, tied, "6.6.0\n", card->name));
	assert_true(is_tied("single-gpu-laptop", regions, tied, "7.0.1\n", card->name));
	assert_false(is_tied("single-gpu-laptop", regions, tied, "6.5.13\n", card->name));
	free(regions);
	machine_finish(&machine);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_that_the_firmware_ties_to_memory_is_refused),
		cmocka_unit_test(a_card_in_use_is_refused_by_the_name_of_its_holder),
		cmocka_unit_test(a_console_goes_with_its_card_only_when_that_is_asked_for),
		cmocka_unit_test(a_framebuffer_of_the_firmware_is_on_the_boot_vga),
		cmocka_unit_test(one_reason_names_everybody_once),
		cmocka_unit_test(more_than_a_reason_holds_are_counted),
		cmocka_unit_test(a_free_card_is_let_through),
		cmocka_unit_test(a_bound_part_of_the_machine_in_the_group_is_named),
		cmocka_unit_test(the_guard_stands_before_explicit_commands_too),
		cmocka_unit_test(without_iommu_or_for_a_bridge_there_is_no_way),
		cmocka_unit_test(virtual_functions_and_missing_resets_are_told),
		cmocka_unit_test(what_has_other_devices_behind_it_is_not_taken),
		cmocka_unit_test(memory_is_compared_with_what_may_be_locked_and_what_there_is),
		cmocka_unit_test(huge_pages_come_from_their_pool),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
