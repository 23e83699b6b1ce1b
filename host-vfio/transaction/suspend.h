#ifndef HOST_TRANSACTION_SUSPEND_H
#define HOST_TRANSACTION_SUSPEND_H

#include "transaction/step.h"

/* The suspend pulse: the machine sleeps with its state in memory (ACPI S3; S4, to disk, is another
 * thing) for some seconds, which takes the power from its cards, until the alarm of its clock. */

/* Why the machine should not be suspended now: no S3, no alarm or one that is set for somebody
 * else, a VM that has devices, file systems behind USB, or somebody who does not want it
 * (systemd-inhibit(1)). 0, or EPERM with the reason. */
int suspend_check(
	const struct step_host *host, const struct machine *machine, struct error *reason);
/* Looks again whether it may be, and sleeps. Returns after the machine woke. 0 or an errno. */
int suspend_perform(const struct step_host *host, unsigned seconds, struct error *reason);

#endif
