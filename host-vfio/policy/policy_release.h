#ifndef HOST_POLICY_POLICY_RELEASE_H
#define HOST_POLICY_POLICY_RELEASE_H

#include "base/strings.h"
#include "scfg/scfg_file.h"

/* How graphics cards that are in use are handed over: the block release of portal-host(5). */

enum policy_suspend {
	POLICY_SUSPEND_ASK, /* whoever is there */
	POLICY_SUSPEND_NEVER,
	POLICY_SUSPEND_ALLOWED,
};

struct policy_reset {
	char *device; /* address or known name */
	struct strings methods; /* in order of preference */
};

struct policy_release {
	bool stop_holders, kill;
	bool stop_all; /* also those of devices that are no graphics cards */
	enum policy_suspend suspend;
	struct policy_reset *resets;
	size_t resets_count;
};

/* Reads the block. -1 after the refusal. */
int policy_release_read(struct policy_release *release, const struct scfg_file *file,
	const struct scfg_directive *directive);
void policy_release_finish(struct policy_release *release);
/* Is it a method of the kernel (pci_reset_fn_methods in drivers/pci/pci.c)? */
bool policy_is_reset_method(const char *name);

#endif
