#ifndef HOST_TRANSACTION_SYSTEMD_H
#define HOST_TRANSACTION_SYSTEMD_H

#include <stdbool.h>

#include "base/error.h"

/* Units of the system's manager ("gdm.service") and of users' ("1000/wireplumber.service"), by
 * D-Bus (org.freedesktop.systemd1(5)). All of it blocks;
 * `user` is not used. 0 or an errno; ENOENT: no such unit, or no such manager. */

int systemd_unit_state(const char *unit, bool *active, void *user);
/* Returns when the unit has started or stopped. */
int systemd_unit_set(const char *unit, bool active, void *user);
/* Asks logind, where it runs: EPERM with the reason when somebody inhibits sleep, or the
 * administrator does not allow it (systemd-sleep.conf(5)). */
int systemd_may_suspend(struct error *reason, void *user);

#endif
