#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"
#include "fixture.h"
#include "policy/decide.h"
#include "policy/guard.h"

static int load(struct policy *policy, const char *text, struct error *error) {
	char path[] = "/tmp/host-policy-XXXXXX";
	int fd = mkstemp(path);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	int status = policy_load(policy, path, error);
	unlink(path);
	return status;
}

struct scene {
	struct machine machine;
	struct known known;
	struct policy policy;
	struct strings running;
	struct decisions decisions;
};

/* `running` is a list of names with commas. */
static void begin_on(
	struct scene *scene, struct machine machine, const char *policy, const char *running) {
	struct error error = {""};
	*scene = (struct scene){.machine = machine};
	if (load(&scene->policy, policy, &error) < 0) {
		fail_msg("%s", error.text);
	}
	char *copy = must_copy(running), *rest = copy, *name;
	while ((name = strsep(&rest, ","))) {
		if (name[0]) {
			strings_add(&scene->running, name);
		}
	}
	free(copy);
	decide(&scene->decisions, &scene->policy, &scene->known, &scene->machine, &scene->running);
}

static void begin(
	struct scene *scene, const char *machine, const char *policy, const char *running) {
	begin_on(scene, fixture_machine(machine), policy, running);
}

static void end(struct scene *scene) {
	decisions_finish(&scene->decisions);
	strings_finish(&scene->running);
	policy_finish(&scene->policy);
	known_finish(&scene->known);
	machine_finish(&scene->machine);
}

/* Checks where a device goes (NULL: the host), and that the reason has these words in it. */
static void expect(struct scene *scene, const char *address, const char *vm, const char *words) {
	const struct pci_device *device = machine_find(&scene->machine, address);
	assert_non_null(device);
	const struct decision *decision = &scene->decisions.items[device - scene->machine.devices];
	if (vm) {
		if (!decision->vm) {
			fail_msg("%s stays: %s", address, decision->reason);
		}
		assert_string_equal(decision->vm->name, vm);
	} else {
		assert_null(decision->vm);
	}
	if (!strstr(decision->reason, words)) {
		fail_msg("%s: %s", address, decision->reason);
	}
}

static const char usual[] = "assign gpu usb audio other to controllers\n"
			    "assign net to router\n"
			    "controller work\n"
			    "controller play {\n domain games\n}\n"
			    "router net\n";

static void without_a_policy_everything_stays(void **state) {
	struct scene scene;
	begin(&scene, "notes-laptop", "", "");
	for (size_t i = 0; i < scene.decisions.count; i++) {
		assert_null(scene.decisions.items[i].vm);
	}
	end(&scene);
	struct policy policy;
	struct error error;
	assert_int_equal(policy_load(&policy, "/nonexistent/host.scfg", &error), 0);
	policy_finish(&policy);
}

static void categories_go_to_the_vms_of_their_class_while_those_run(void **state) {
	struct scene scene;
	begin(&scene, "notes-laptop", usual, "work,net");
	expect(&scene, "01:00.0", "work", "the policy has gpu go to controllers");
	expect(&scene, "01:00.1", "work", "gpu-audio");
	expect(&scene, "00:14.0", "work", "usb");
	expect(&scene, "03:00.0", "net", "net go to the router");
	expect(&scene, "02:00.0", NULL, "storage go to the host");
	expect(&scene, "00:01.0", NULL, "bridges");
	end(&scene);
	begin(&scene, "notes-laptop", usual, "");
	for (size_t i = 0; i < scene.decisions.count; i++) {
		assert_null(scene.decisions.items[i].vm);
	}
	expect(&scene, "01:00.0", NULL, "none that takes it runs");
	end(&scene);
	begin(&scene, "notes-laptop", usual, "play");
	expect(&scene, "01:00.0", "play", "gpu");
	end(&scene);
}

static void of_two_controllers_the_one_that_started_first_has_the_device(void **state) {
	struct scene scene;
	begin(&scene, "notes-laptop", usual, "play,work");
	expect(&scene, "01:00.0", "play", "gpu");
	end(&scene);
	begin(&scene, "two-gpu-desktop",
		"assign gpu usb to controllers\n"
		"controller work {\n devices 05:00.0\n}\n"
		"controller play {\n devices 01:00.0 01:00.1\n}\n",
		"work,play");
	expect(&scene, "05:00.0", "work", "usb");
	expect(&scene, "01:00.0", "play", "gpu");
	expect(&scene, "00:14.0", NULL, "none that takes it runs");
	end(&scene);
}

static void a_line_for_one_device_outweighs_its_category(void **state) {
	struct scene scene;
	begin(&scene, "two-gpu-desktop",
		"assign gpu usb to controllers\n"
		"device 05:00.0 to host\n"
		"device 00:17.0 to vm vault\n"
		"device 77:00.0 to host\n"
		"controller work\n"
		"controller vault\n",
		"work,vault");
	expect(&scene, "05:00.0", NULL, "05:00.0 go to the host");
	expect(&scene, "00:17.0", "vault", "00:17.0 go to vault");
	assert_int_equal(scene.decisions.warnings.count, 2);
	assert_non_null(strstr(scene.decisions.warnings.items[0], "no PCI function 77:00.0"));
	end(&scene);
}

static void a_group_moves_together_or_stays(void **state) {
	struct scene scene;
	/* Sound shares its group with the SMBus controller, which is bound and stays. */
	begin(&scene, "notes-laptop", usual, "work");
	expect(&scene, "00:1f.3", NULL, "shares IOMMU group 11 with 0000:00:1f.4");
	end(&scene);
	/* All of the laptop's card must go; the security processor does not go by itself. */
	begin(&scene, "single-gpu-laptop",
		"assign gpu usb audio to controllers\ncontroller work\nunguard 04:00.0\n", "work");
	expect(&scene, "04:00.0", NULL,
		"with 0000:04:00.2, which stays with the host (driver ccp)");
	expect(&scene, "04:00.3", NULL, "shares IOMMU group 3");
	end(&scene);
	begin(&scene, "single-gpu-laptop",
		"assign gpu usb audio other to controllers\ncontroller work\nunguard 04:00.0\n",
		"work");
	expect(&scene, "04:00.0", "work", "gpu");
	expect(&scene, "04:00.2", "work", "other");
	expect(&scene, "04:00.6", "work", "audio");
	end(&scene);
}

static void what_is_in_no_group_goes_nowhere(void **state) {
	struct scene scene;
	begin(&scene, "no-iommu", usual, "work,net");
	expect(&scene, "01:00.0", NULL, "no IOMMU group");
	expect(&scene, "02:00.0", NULL, "no IOMMU group");
	end(&scene);
}

static void the_guard_keeps_disk_route_and_console_unless_told_by_name(void **state) {
	struct scene scene;
	begin(&scene, "two-gpu-desktop",
		"assign gpu storage to controllers\nassign net to router\n"
		"controller work\nrouter net\n",
		"work,net");
	expect(&scene, "04:00.0", NULL, "survival guard (boot-disk)");
	expect(&scene, "00:17.0", "work", "storage");
	expect(&scene, "00:02.0", NULL, "survival guard (console)");
	expect(&scene, "01:00.0", "work", "gpu");
	expect(&scene, "06:00.0", NULL, "survival guard (default-route)");
	end(&scene);
	begin(&scene, "two-gpu-desktop",
		"assign gpu storage to controllers\nassign net to router\n"
		"controller work\nrouter net\n"
		"unguard 06:00.0 00:02.0\n",
		"work,net");
	expect(&scene, "06:00.0", "net", "net");
	expect(&scene, "00:02.0", "work", "gpu");
	expect(&scene, "04:00.0", NULL, "survival guard");
	end(&scene);
}

static void one_leg_of_a_bond_may_go_but_not_both(void **state) {
	struct scene scene;
	begin(&scene, "many-nic-server", "assign net to router\nrouter net\n", "net");
	expect(&scene, "3b:00.0", NULL, "survival guard (default-route)");
	expect(&scene, "3b:00.1", NULL, "survival guard (default-route)");
	expect(&scene, "01:00.3", "net", "net");
	expect(&scene, "3c:00.2", "net", "net");
	end(&scene);
	begin(&scene, "many-nic-server",
		"assign net to router\nrouter net\ndevice 3b:00.1 to host\n", "net");
	expect(&scene, "3b:00.0", "net", "net");
	end(&scene);
}

static void the_last_usb_controller_with_a_keyboard_stays_while_no_controller_runs(void **state) {
	struct scene scene;
	/* USB for the router: not a controller, nobody sits before it. */
	begin(&scene, "two-gpu-desktop", "assign usb to router\nrouter net\n", "net");
	expect(&scene, "00:14.0", NULL, "survival guard (input)");
	expect(&scene, "05:00.0", "net", "usb");
	end(&scene);
	begin(&scene, "two-gpu-desktop", "assign usb to controllers\ncontroller work\n", "work");
	expect(&scene, "00:14.0", "work", "usb");
	end(&scene);
	/* What the router has while a controller runs, it has still when that has ended: nothing
	 * but a controller's end brings a keyboard back. */
	begin(&scene, "two-gpu-desktop",
		"assign usb to controllers\ndevice 00:14.0 to router\ncontroller work\nrouter "
		"net\n",
		"work,net");
	expect(&scene, "00:14.0", NULL, "nothing but a controller's end brings that back");
	expect(&scene, "05:00.0", "work", "usb");
	end(&scene);
	begin(&scene, "two-gpu-desktop",
		"device 00:14.0 to vm net\ncontroller work\nrouter net\nunguard 00:14.0\n",
		"work,net");
	expect(&scene, "00:14.0", "net", "00:14.0 go to net");
	end(&scene);
	/* A PS/2 keyboard is enough to get by. */
	begin(&scene, "notes-laptop", "assign usb to router\nrouter net\n", "net");
	expect(&scene, "00:14.0", "net", "usb");
	end(&scene);
}

#define XHCI "/sys/devices/pci0000:00/0000:00:14.0"
#define OTHER_XHCI "/sys/devices/pci0000:00/0000:00:1c.0/0000:05:00.0"
#define UHID "/sys/devices/virtual/misc/uhid/0005:046D:B342.0009/input/input12"

static void put(struct memory_tree *tree, const char *path, const char *text) {
	memory_tree_put_file(tree, path, text, strlen(text));
}

/* As BlueZ makes it: below no controller. */
static void put_wireless_keyboard(struct memory_tree *tree) {
	memory_tree_put_link(tree, "/sys/class/input/input12",
		"../../devices/virtual/misc/uhid/0005:046D:B342.0009/input/input12");
	put(tree, UHID "/name", "Keyboard K380\n");
	put(tree, UHID "/id/bustype", "0005\n");
	put(tree, UHID "/capabilities/key",
		"402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe\n");
}

static struct machine read_machine(struct memory_tree *tree) {
	struct machine machine;
	struct error error = {""};
	if (machine_read(&machine, memory_tree_base(tree), &error) < 0) {
		fail_msg("%s", error.text);
	}
	return machine;
}

static void a_wireless_keyboard_is_behind_every_radio_that_it_may_be_reached_through(void **state) {
	static const char policy[] = "assign usb to router\nrouter net\n";
	struct memory_tree *tree = fixture_tree("two-gpu-desktop");
	struct scene scene;
	memory_tree_remove(tree, "/sys/class/input/input7");
	memory_tree_remove(tree, "/sys/class/input/input8");
	put_wireless_keyboard(tree);
	memory_tree_put_directory(tree, OTHER_XHCI "/usb3/3-2/3-2:1.0/bluetooth/hci0/hci0:11");
	memory_tree_put_link(tree, "/sys/class/bluetooth/hci0",
		"../../devices/pci0000:00/0000:00:1c.0/0000:05:00.0/usb3/3-2/3-2:1.0/bluetooth/"
		"hci0");
	memory_tree_put_link(tree, "/sys/class/bluetooth/hci0:11",
		"../../devices/pci0000:00/0000:00:14.0/usb1/1-5/1-5:1.0/bluetooth/hci0/hci0:11");
	begin_on(&scene, read_machine(tree), policy, "net");
	expect(&scene, "05:00.0", NULL, "survival guard (input)");
	expect(&scene, "00:14.0", "net", "usb"); /* that is a connection's, not a radio's */
	end(&scene);
	memory_tree_put_directory(tree, XHCI "/usb1/1-5/1-5:1.0/bluetooth/hci1");
	memory_tree_put_link(tree, "/sys/class/bluetooth/hci1",
		"../../devices/pci0000:00/0000:00:14.0/usb1/1-5/1-5:1.0/bluetooth/hci1");
	begin_on(&scene, read_machine(tree), policy, "net");
	expect(&scene, "00:14.0", NULL, "survival guard (input)");
	expect(&scene, "05:00.0", "net", "usb"); /* one is enough */
	end(&scene);
	tree_destroy(memory_tree_base(tree));
}

/* The card at `place` was named "fast" when it was at `former`. */
static void name_fast(struct scene *scene, const char *place, const char *former) {
	struct error error = {""};
	assert_int_equal(
		known_add(&scene->known, "fast", machine_find(&scene->machine, place), &error), 0);
	free(scene->known.devices[0].address);
	scene->known.devices[0].address = must_copy(former);
	decisions_finish(&scene->decisions);
	decide(&scene->decisions, &scene->policy, &scene->known, &scene->machine, &scene->running);
}

static void expect_warning(const struct scene *scene, const char *words) {
	const struct strings *warnings = &scene->decisions.warnings;
	for (size_t i = 0; i < warnings->count; i++) {
		if (strstr(warnings->items[i], words)) {
			return;
		}
	}
	fail_msg("nobody says %s", words);
}

static void an_address_that_its_card_has_left_stands_for_nothing(void **state) {
	static const char text[] = "device 05:00.0 to controllers\ndevice 06:00.0 to host\n"
				   "unguard 06:00.0\nassign net to controllers\n"
				   "controller work\n";
	struct scene scene;
	begin(&scene, "two-gpu-desktop", text, "work");
	expect(&scene, "05:00.0", "work", "05:00.0 go to controllers");
	expect(&scene, "06:00.0", NULL, "06:00.0 go to the host");
	assert_int_equal(scene.decisions.warnings.count, 1);
	expect_warning(&scene, "named by address only: 05:00.0, 06:00.0. When cards are changed");
	/* Another card is at the address now. */
	name_fast(&scene, "01:00.0", "0000:05:00.0");
	expect(&scene, "05:00.0", NULL, "usb go to the host");
	expect_warning(&scene,
		"device: 05:00.0 is where fast was, which is 0000:01:00.0 now: say fast if");
	expect_warning(&scene, "named by address only: 06:00.0");
	/* What is to stay stays; what is to be let go is not any more. */
	name_fast(&scene, "01:00.0", "0000:06:00.0");
	expect(&scene, "06:00.0", NULL, "06:00.0 go to the host");
	expect_warning(&scene, "device: 06:00.0 is where fast was");
	expect_warning(&scene, "unguard: 06:00.0 is where fast was");
	/* The same card is, and is known to be. */
	name_fast(&scene, "05:00.0", "0000:05:00.0");
	expect(&scene, "05:00.0", "work", "05:00.0 go to controllers");
	expect_warning(&scene, "named by address only: 06:00.0.");
	assert_int_equal(scene.decisions.warnings.count, 1);
	end(&scene);
}

/* Whatever is taken, and from whatever machine, the guard's answer keeps the host alive. */
static void what_the_guard_lets_go_never_includes_what_the_host_lives_on(void **state) {
	for (size_t k = 0; fixture_names[k]; k++) {
		struct machine machine = fixture_machine(fixture_names[k]);
		bool *taken = must_alloc(machine.devices_count, sizeof(*taken));
		for (uint32_t seed = 0; seed < 2000; seed++) {
			uint32_t bits = seed * 2654435761u;
			for (size_t i = 0; i < machine.devices_count; i++) {
				bits ^= bits << 13;
				bits ^= bits >> 17;
				bits ^= bits << 5;
				taken[i] = bits & 1;
			}
			struct guard_objection *objections;
			size_t count = guard_check(&machine, taken, NULL, &objections);
			for (size_t i = 0; i < count; i++) {
				assert_true(taken[objections[i].device - machine.devices]);
			}
			for (size_t i = 0; i < count; i++) {
				taken[objections[i].device - machine.devices] = false;
			}
			guard_free(objections, count);
			assert_int_equal(guard_check(&machine, taken, NULL, &objections), 0);
			guard_free(objections, 0);
		}
		free(taken);
		machine_finish(&machine);
	}
}

static void a_wrong_policy_is_refused_with_line_and_reason(void **state) {
	static const char *const cases[][2] = {
		{"assign gpu\n", "line 1: expected: assign"},
		{"\nassign gpus to controllers\n", "line 2: there is no category \"gpus\""},
		{"assign gpu to moon\n", "line 1: expected: assign"},
		{"assign bridge to router\n", "bridge devices are not given away"},
		{"assign system to router\n", "only by name"},
		{"device 01:00.0 router\n", "expected: device"},
		{"device 01:00.0 to vm ghost\n", "no VM is called that"},
		{"controller\n", "expected: controller NAME"},
		{"release {\n stop-holders kill kill\n}\n", "expected: stop-holders [kill] [all]"},
		{"release {\n stop-holders some\n}\n", "expected: stop-holders [kill] [all]"},
		{"controller \"\"\n", "line 1: expected: controller NAME"},
		{"controller a {\n domain \"\"\n}\n", "line 2: \"domain\" has no place"},
		{"controller a {\n domain b\n domain c\n}\n", "line 3: \"domain\" is there twice"},
		{"controller a\nrouter b {\n domain a\n}\n",
			"a and b are both libvirt's domain a: one of them has to have another"},
		{"guest a {\n memory 1G\n}\nguest b {\n domain a\n memory 1G\n}\n",
			"a and b are both"},
		{"memory junk {\n}\n", "line 1: expected once: memory { ... }"},
		{"memory {\n}\nmemory {\n}\n", "line 3: expected once: memory { ... }"},
		{"memory {\n budget 1G\n budget 2G\n}\n", "line 3: \"budget\" is there twice"},
		{"guest \"\" {\n memory 1G\n}\n", "line 1: expected: guest NAME"},
		{"guest a {\n memory 1G\n memory 2G\n}\n", "line 3: \"memory\" is there twice"},
		{"guest a {\n memory 1G\n heap 1000001 3000003\n}\n",
			"line 3: expected: heap LEAST MOST, LEAST 6M or more"},
		{"guest a {\n memory 1G\n heap 65M 65M\n}\n", "between them a multiple of 2M"},
		{"guest a {\n memory 1G\n heap 64M 32M\n}\n", "between them a multiple of 2M"},
		{"controller a\ncontroller a\n", "line 2: there is a VM \"a\" already"},
		{"router a\nrouter b\n", "line 2: there is a router already"},
		{"router a {\n devices 01:00.0\n}\n", "line 2: \"devices\" has no place"},
		{"unguard\n", "\"unguard\" is no directive"},
		{"memory {\n budget lots\n}\n", "line 2: expected: budget SIZE"},
		{"memory {\n percentile 101\n}\n", "line 2: expected: budget SIZE"},
		{"memory {\n half-life 7\n}\n", "line 2: expected: budget SIZE"},
		{"memory {\n unnamed ignore\n}\n", "line 2: expected: budget SIZE"},
		{"guest a {\n heap 1G\n}\n", "line 2: expected: domain DOMAIN, memory"},
		{"router a {\n guests b\n}\n", "line 2: \"guests\" has no place"},
		{"controller a {\n door\n}\n", "line 2: \"door\" has no place"},
		{"guest a {\n}\n", "line 1: guest a has no memory"},
		{"guest a {\n memory 1G\n}\nguest a {\n memory 1G\n}\n", "line 4: expected"},
		{"banana\n", "\"banana\" is no directive"},
		{"controller a {\n", "not valid scfg"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy policy;
		struct error error = {""};
		assert_int_equal(load(&policy, cases[i][0], &error), -1);
		if (!strstr(error.text, cases[i][1])) {
			fail_msg("case %zu says: %s", i, error.text);
		}
		assert_int_equal(policy.vms_count, 0);
	}
}

static void memory_settings_are_read_with_their_defaults(void **state) {
	struct policy policy;
	struct error error = {""};
	assert_int_equal(load(&policy, "", &error), 0);
	assert_int_equal(policy.memory.percentile, 95);
	assert_int_equal(policy.memory.reserve, (uint64_t)4 << 30);
	assert_false(policy.memory.refuse_unnamed);
	policy_finish(&policy);
	assert_int_equal(
		load(&policy,
			"memory {\n budget 24G\n reserve 2G\n percentile 90\n headroom 10\n"
			" half-life 12h\n unnamed refuse\n}\nguest web {\n memory 4G\n heap 128M "
			"512M\n}\n",
			&error),
		0);
	assert_int_equal(policy.memory.budget, (uint64_t)24 << 30);
	assert_int_equal(policy.memory.half_life, 12 * 3600);
	assert_int_equal(policy.memory.headroom, 10);
	assert_true(policy.memory.refuse_unnamed);
	const struct memory_guest *guest = memory_settings_find(&policy.memory, "web");
	assert_int_equal(guest->memory, (uint64_t)4 << 30);
	assert_int_equal(guest->heap_most, 512 << 20);
	policy_finish(&policy);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_policy_everything_stays),
		cmocka_unit_test(categories_go_to_the_vms_of_their_class_while_those_run),
		cmocka_unit_test(of_two_controllers_the_one_that_started_first_has_the_device),
		cmocka_unit_test(a_line_for_one_device_outweighs_its_category),
		cmocka_unit_test(a_group_moves_together_or_stays),
		cmocka_unit_test(what_is_in_no_group_goes_nowhere),
		cmocka_unit_test(the_guard_keeps_disk_route_and_console_unless_told_by_name),
		cmocka_unit_test(one_leg_of_a_bond_may_go_but_not_both),
		cmocka_unit_test(
			the_last_usb_controller_with_a_keyboard_stays_while_no_controller_runs),
		cmocka_unit_test(
			a_wireless_keyboard_is_behind_every_radio_that_it_may_be_reached_through),
		cmocka_unit_test(an_address_that_its_card_has_left_stands_for_nothing),
		cmocka_unit_test(what_the_guard_lets_go_never_includes_what_the_host_lives_on),
		cmocka_unit_test(memory_settings_are_read_with_their_defaults),
		cmocka_unit_test(a_wrong_policy_is_refused_with_line_and_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
