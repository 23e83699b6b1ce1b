#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "fixture.h"
#include "release/release.h"

/* A machine whose devices are driven by others than was recorded, and the way back. */
struct way {
	struct machine machine;
	struct plan plan;
	struct findings findings;
};

static void begin(struct way *way, const char *fixture) {
	*way = (struct way){.machine = fixture_machine(fixture)};
}

/* The device has a driver now and had another one, or none, before. */
static void plan_back(struct way *way, const char *address, const char *now, const char *before) {
	struct pci_device *device = machine_find(&way->machine, address);
	assert_non_null(device);
	const struct driver_state former = {(char *)before, NULL, NULL};
	free(device->driver);
	device->driver = must_copy(now);
	plan_add(&way->plan, device, &former);
	release_find_users(&way->findings, &way->plan, &way->machine);
}

static void end(struct way *way) {
	findings_finish(&way->findings);
	plan_finish(&way->plan);
	machine_finish(&way->machine);
}

static void a_vm_that_has_the_device_open_keeps_it(void **state) {
	struct way way;
	begin(&way, "two-gpu-desktop");
	struct pci_device *card = machine_find(&way.machine, "01:00.0");
	machine_add_holder(card, HOLDER_PROCESS, "qemu-system-x86", "/dev/vfio/15", 4711);
	plan_back(&way, "01:00.0", "vfio-pci", "nouveau");
	assert_true(fixture_finds(
		&way.findings, true, "01:00.0 is in use: qemu-system-x86 (pid 4711)"));
	end(&way);
}

static void what_was_on_the_card_before_vfio_had_it_keeps_nothing(void **state) {
	struct way way;
	begin(&way, "many-nic-server");
	plan_back(&way, "03:00.0", "vfio-pci", "ast");
	assert_true(
		fixture_finds(&way.findings, false, "0000:03:00.0 is in use: the framebuffer fb0"));
	assert_false(findings_block(&way.findings));
	assert_int_not_equal(way.plan.steps_count, 0);
	end(&way);
}

/* Bound again by hand, to a driver that it did not have when it was taken. */
static void what_is_on_a_device_that_a_driver_of_the_host_would_lose_keeps_it(void **state) {
	struct way way;
	begin(&way, "two-gpu-desktop");
	plan_back(&way, "04:00.0", "nvme", NULL);
	assert_true(fixture_finds(&way.findings, true, "04:00.0 is in use: / is mounted from"));
	end(&way);
}

static void a_device_that_nothing_is_unbound_from_is_not_asked_about(void **state) {
	struct way way;
	begin(&way, "two-gpu-desktop");
	struct pci_device *disk = machine_find(&way.machine, "04:00.0");
	free(disk->driver_override);
	disk->driver_override = must_copy("vfio-pci");
	plan_back(&way, "04:00.0", "nvme", "nvme");
	assert_int_equal(way.plan.steps_count, 1); /* the override goes */
	assert_int_equal(way.findings.count, 0);
	end(&way);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vm_that_has_the_device_open_keeps_it),
		cmocka_unit_test(what_was_on_the_card_before_vfio_had_it_keeps_nothing),
		cmocka_unit_test(what_is_on_a_device_that_a_driver_of_the_host_would_lose_keeps_it),
		cmocka_unit_test(a_device_that_nothing_is_unbound_from_is_not_asked_about),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
