/* What portal-hostd decides, played at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hostd_world.h"

enum { SEEDS = 400, STEPS = 300 };

/* The second USB controller, or a function of the fast card. */
static void plug_or_unplug(struct world *world) {
	static const char *const devices[] = {"0000:05:00.0", "0000:01:00.1"};
	const char *device = devices[world_roll(world, 2)];
	if (world_roll(world, 2) == 0) {
		world_unplug(world, device);
	} else {
		world_plug(world, device);
	}
}

/* Of a USB controller, or of a function of the fast card, the host's driver wants to know nothing,
 * or does again. */
static void change_a_driver(struct world *world) {
	static const char *const devices[] = {"0000:00:14.0", "0000:05:00.0", "0000:01:00.0"};
	world_go_astray(world, devices[world_roll(world, 3)], world_roll(world, 2) == 0);
}

/* Any VM may have ended by the time that another daemon comes. */
static void kill_daemon(struct world *world) {
	world_kill(world, world_roll(world, 2) == 0);
	for (int vm = 0; vm < VMS; vm++) {
		if (world->truth[vm] == RUNNING && world_roll(world, 4) == 0) {
			world_end_unseen(world, vm);
		}
	}
	world_come_again(world);
}

static void lose_libvirt(struct world *world) {
	bool came[VMS];
	for (int vm = 0; vm < VMS; vm++) {
		came[vm] = world_roll(world, 2) == 0;
	}
	world_lose_libvirt(world, came);
}

static void happen(struct world *world) {
	int vm = (int)world_roll(world, VMS);
	bool bad = world_roll(world, 5) == 0;
	switch (world_roll(world, 16)) {
	case 0:
	case 1:
		if (world->changing) {
			world_end_change(world, bad ? "the kernel said no" : NULL);
		}
		break;
	case 2:
		if (world->truth[vm] == OFF) {
			world_start_by_hand(world, vm);
		}
		break;
	case 3:
		if (world->truth[vm] == LAUNCHING) {
			world_end_launch(world, vm, bad ? "QEMU said no" : NULL);
		}
		break;
	case 4:
		if (world->truth[vm] == RUNNING && (world->shutting[vm] || bad)) {
			world_end_vm(world, vm, bad);
		}
		break;
	case 5:
		if (world->truth[vm] == OFF) {
			world_let_go(world, vm);
		}
		break;
	case 6:
		if (!world->switching) {
			const char *targets[] = {"work", "play", "side", NULL};
			world_switch(world, targets[world_roll(world, 4)], bad);
		}
		break;
	case 7:
		world_time_out(world);
		break;
	case 8:
		if (world->truth[vm] == HOOK && bad) {
			world->truth[vm] = OFF; /* who waited was killed */
			core_unclaim(&world->core, world_vms[vm]);
			world_obey(world);
		} else if (world->shutting[vm] && bad) {
			world->shutting[vm] = false;
			core_shutdown_ended(&world->core, world_vms[vm], "libvirt said no");
			world_obey(world);
		}
		break;
	case 10:
		plug_or_unplug(world);
		break;
	case 11:
		world->settling = !world->settling;
		world_obey(world);
		break;
	case 12:
		if (world->attach.vm) {
			world_end_attach(world, bad ? "libvirt said no" : NULL);
		}
		break;
	case 13:
		if (bad) {
			kill_daemon(world);
		}
		break;
	case 14:
		change_a_driver(world);
		break;
	case 15:
		if (bad) {
			lose_libvirt(world);
		}
		break;
	case 9:
		core_states_known(&world->core, !bad);
		world_obey(world);
		break;
	}
}

static void whatever_happens_ends_as_the_policy_says(void **state) {
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct world world;
		world_begin(&world, world_policy, seed);
		for (int step = 0; step < STEPS; step++) {
			happen(&world);
		}
		world_plug(&world, "0000:05:00.0");
		world_plug(&world, "0000:01:00.1");
		world_settle(&world);
		world_assert_settled(&world);
		world_end(&world);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_happens_ends_as_the_policy_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
