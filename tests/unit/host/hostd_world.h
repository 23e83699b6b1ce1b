#ifndef TESTS_HOSTD_WORLD_H
#define TESTS_HOSTD_WORLD_H

#include "hostd/core.h"

/* A host whose devices, VMs and person do as they like, for hostd/core.h to decide about. What core
 * does to it is checked at every step. */

/* On two-gpu-desktop: everything, the fast card, a USB controller of its own; and a router. */
extern const char world_policy[];

/* What libvirt and QEMU are really doing with a VM. */
enum truth {
	OFF,
	HOOK, /* libvirt waits for the hook */
	LAUNCHING, /* it was allowed, or core had it started */
	RUNNING,
};

enum { WORK, PLAY, SIDE, NET, VMS };

extern const char *const world_vms[VMS];

struct world {
	struct machine machine; /* every device that there can be */
	struct machine seen; /* those that are plugged in */
	struct known known;
	struct policy policy;
	bool *absent, *ours, *seen_ours;
	bool *astray; /* what no change returns */
	const char **given, **seen_given; /* what the daemon has noted */
	char **home; /* each device's driver on the host */
	const char **owner; /* the VM that has it open */
	struct core core;
	enum truth truth[VMS];
	unsigned launched[VMS], launches; /* in which order */
	bool by_core[VMS]; /* LAUNCHING because of CORE_START */
	/* core took its start for failed, and cannot know what it has. */
	bool given_up[VMS];
	bool shutting[VMS]; /* asked to shut down, not yet answered */
	struct core_action change; /* under way */
	struct core_action attach; /* the same */
	bool changing, switching, settling;
	char *switched; /* the last answer's reason; "" when done */
	unsigned random;
};

void world_begin(struct world *world, const char *policy, unsigned seed);
void world_end(struct world *world);
/* 0 to `sides` - 1 */
unsigned world_roll(struct world *world, unsigned sides);

/* What core is told of it now. */
struct core_view world_view(struct world *world);

/* What happens; each has core act on it. `problem` NULL: it went well. */
void world_obey(struct world *world);
void world_end_change(struct world *world, const char *problem);
void world_end_attach(struct world *world, const char *problem);
void world_let_go(struct world *world, int vm);
void world_let_go_of(struct world *world, const char *address);
void world_start_by_hand(struct world *world, int vm);
void world_end_launch(struct world *world, int vm, const char *problem);
/* Its devices may take longer. */
void world_end_vm(struct world *world, int vm, bool at_once);
void world_switch(struct world *world, const char *target, bool force);
void world_time_out(struct world *world);
/* Whoever has it lets go of it first, as the kernel has it. */
void world_unplug(struct world *world, const char *address);
void world_plug(struct world *world, const char *address);
/* The daemon is killed, whatever it was doing: what it had begun is undone, but for an attachment
 * that libvirt still makes. Until another one comes, VMs end unseen. */
void world_kill(struct world *world, bool attached);
void world_end_unseen(struct world *world, int vm);
void world_come_again(struct world *world);
/* libvirt dies and comes again, and says what runs by then: a VM that it was starting for those for
 * which `came` says so, and no other. */
void world_lose_libvirt(struct world *world, const bool came[VMS]);
/* The VM runs with what is its own. */
void world_run(struct world *world, int vm);

/* No change returns the device any more, or they do again. */
void world_go_astray(struct world *world, const char *address, bool astray);
/* One device of a change is with VFIO. */
void world_take(struct world *world, const char *address);
void world_bind(struct world *world, const char *address, const char *driver);
const char *world_driver(struct world *world, const char *address);
const char *world_owner(struct world *world, const char *address);

/* Everything that is under way ends well, and what is held without a VM is let go. */
void world_settle(struct world *world);
/* All is where the policy has it, but for what has gone astray. */
void world_assert_settled(struct world *world);

#endif
