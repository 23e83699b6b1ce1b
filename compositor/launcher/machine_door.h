#ifndef PORTAL_LAUNCHER_MACHINE_DOOR_H
#define PORTAL_LAUNCHER_MACHINE_DOOR_H

#include "host_door.h"
#include "machine.h"

/* The same as machine_init(), machine_start() and machine_stop(), where the host is asked for what
 * libvirt does elsewhere. */
int machine_door_init(struct machine *machine);
int machine_door_start(struct machine *machine);
int machine_door_stop(struct machine *machine, unsigned timeout, bool force);

/* What LIST says of a guest, as libvirt would say it. */
enum domain_state machine_door_state(const struct host_answer *answer, const char *guest);

#endif
