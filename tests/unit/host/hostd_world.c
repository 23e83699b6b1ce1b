/* The world of hostd_world.h, and what is where in it. */
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
#include "hostd/core-impl.h"
#include "hostd_world-impl.h"

const char world_policy[] = "assign gpu usb to controllers\n"
			    "assign net to router\n"
			    "controller work\n"
			    "controller play {\n\tdevices 01:00.0 01:00.1\n}\n"
			    "controller side {\n\tdevices 05:00.0\n}\n"
			    "router net\n"
			    "unguard 06:00.0\n";

const char *const world_vms[VMS] = {"work", "play", "side", "net"};

unsigned world_roll(struct world *world, unsigned sides) {
	world->random = world->random * 1103515245u + 12345u;
	return (world->random >> 16) % sides;
}

int world_vm(const char *vm) {
	for (int i = 0; i < VMS; i++) {
		if (strcmp(world_vms[i], vm) == 0) {
			return i;
		}
	}
	fail_msg("there is no VM %s", vm);
	return -1;
}

/* What is plugged in. Good until something happens. */
struct core_view world_view(struct world *world) {
	size_t count = 0;
	for (size_t i = 0; i < world->machine.devices_count; i++) {
		if (!world->absent[i]) {
			world->seen.devices[count] = world->machine.devices[i];
			world->seen_given[count] = world->given[i];
			world->seen_ours[count++] = world->ours[i];
		}
	}
	world->seen.devices_count = count;
	return (struct core_view){
		.policy = &world->policy,
		.known = &world->known,
		.machine = &world->seen,
		.ours = world->seen_ours,
		.given = world->seen_given,
		.settling = world->settling,
	};
}

void world_begin(struct world *world, const char *text, unsigned seed) {
	char path[] = "/tmp/host-core-XXXXXX";
	struct error error = {""};
	int fd = mkstemp(path);
	*world = (struct world){.machine = fixture_machine("two-gpu-desktop"), .random = seed};
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	if (policy_load(&world->policy, path, &error) < 0) {
		fail_msg("%s", error.text);
	}
	unlink(path);
	size_t count = world->machine.devices_count;
	world->seen = world->machine;
	world->seen.devices = must_alloc(count, sizeof(*world->seen.devices));
	world->seen_ours = must_alloc(count, sizeof(bool));
	world->seen_given = must_alloc(count, sizeof(char *));
	world->given = must_alloc(count, sizeof(char *));
	world->absent = must_alloc(count, sizeof(bool));
	world->astray = must_alloc(count, sizeof(bool));
	world->ours = must_alloc(count, sizeof(bool));
	world->home = must_alloc(count, sizeof(char *));
	world->owner = must_alloc(count, sizeof(char *));
	for (size_t i = 0; i < count; i++) {
		world->home[i] = must_copy(world->machine.devices[i].driver);
	}
	core_set_policy(&world->core, &world->policy);
	core_states_known(&world->core, true);
}

void world_end(struct world *world) {
	for (size_t i = 0; i < world->machine.devices_count; i++) {
		free(world->home[i]);
	}
	core_action_finish(&world->change);
	core_action_finish(&world->attach);
	free(world->seen.devices);
	free(world->seen_ours);
	free(world->seen_given);
	free(world->given);
	free(world->absent);
	free(world->astray);
	free(world->ours);
	free(world->home);
	free(world->owner);
	free(world->switched);
	core_finish(&world->core);
	policy_finish(&world->policy);
	known_finish(&world->known);
	machine_finish(&world->machine);
}

bool world_shares_group(const struct pci_device *one, const struct pci_device *other) {
	return one != other && one->iommu_group >= 0 && one->iommu_group == other->iommu_group;
}

size_t world_device(const struct world *world, const char *address) {
	const struct pci_device *device = machine_find(&world->machine, address);
	assert_non_null(device);
	return (size_t)(device - world->machine.devices);
}

/* Who has it open, as far as the kernel says: VFIO's node is that of a whole group. NULL: nobody.
 */
static const char *find_holder(const struct world *world, size_t index) {
	const struct pci_device *device = &world->machine.devices[index];
	for (size_t i = 0; core_is_vfio(device) && i < world->machine.devices_count; i++) {
		if (world->owner[i] && world_shares_group(&world->machine.devices[i], device)) {
			return world->owner[i];
		}
	}
	return world->owner[index];
}

static void show_holders(struct world *world) {
	for (size_t index = 0; index < world->machine.devices_count; index++) {
		struct pci_device *device = &world->machine.devices[index];
		const char *vm = find_holder(world, index);
		for (size_t i = 0; i < device->holders_count; i++) {
			if (device->holders[i].pid == 1) {
				free(device->holders[i].name);
				free(device->holders[i].through);
				device->holders[i] = device->holders[--device->holders_count];
			}
		}
		if (vm) {
			machine_add_holder(device, HOLDER_PROCESS, vm, "/dev/vfio/1", 1);
		}
	}
}

void world_bind_at(struct world *world, size_t index, const char *driver) {
	struct pci_device *device = &world->machine.devices[index];
	free(device->driver);
	device->driver = must_copy(driver);
	show_holders(world);
}

void world_hold(struct world *world, size_t index, const char *vm) {
	world->owner[index] = vm;
	show_holders(world);
}

void world_take(struct world *world, const char *address) {
	world_bind(world, address, "vfio-pci");
	world->ours[world_device(world, address)] = true;
}

void world_go_astray(struct world *world, const char *address, bool astray) {
	world->astray[world_device(world, address)] = astray;
}

void world_bind(struct world *world, const char *address, const char *driver) {
	world_bind_at(world, world_device(world, address), driver);
}

const char *world_driver(struct world *world, const char *address) {
	return world->machine.devices[world_device(world, address)].driver;
}

const char *world_owner(struct world *world, const char *address) {
	return world->owner[world_device(world, address)];
}
