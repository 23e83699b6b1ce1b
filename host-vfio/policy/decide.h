#ifndef HOST_POLICY_DECIDE_H
#define HOST_POLICY_DECIDE_H

#include "identity/known.h"
#include "policy/policy.h"

/* Where one device belongs while certain VMs run. */
struct decision {
	const struct pci_device *device;
	const struct policy_vm *vm; /* NULL: the host */
	char *reason; /* why, one sentence without a full stop */
};

struct decisions {
	struct decision *items; /* one for each device of the machine, in its order */
	size_t count;
	struct strings
		warnings; /* what the policy names and the machine does not have, and so on */
};

/* Decides for every device: its own line of the policy or else its category, then the survival
 * guard, then the IOMMU group, which moves together or stays. `running` are the VMs' names, the one
 * that started first in front: where two controllers want the same device, it has it. Pure: reads
 * nothing, changes nothing. The pointers are into `machine` and `policy`. */
void decide(struct decisions *decisions, const struct policy *policy, const struct known *known,
	const struct machine *machine, const struct strings *running);
void decisions_finish(struct decisions *decisions);

#endif
