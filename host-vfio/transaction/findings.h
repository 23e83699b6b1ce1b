#ifndef HOST_TRANSACTION_FINDINGS_H
#define HOST_TRANSACTION_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-json.h>

#include "base/error.h"
#include "inventory/machine.h"

/* What stands in the way of a plan, or is worth knowing before it. Zero-initialised is empty. */
struct finding {
	bool blocks;
	char *text; /* a sentence without a full stop */
	size_t subject; /* how much of it is about which device the rest is said */
	int pid; /* of the process that it names, or 0 */
	bool vm; /* which is a VM's */
};

struct findings {
	struct finding *items;
	size_t count;
};

void findings_add(struct findings *findings, bool blocks, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* "0000:01:00.0 is in use: Xorg (pid 812) has /dev/dri/card0 open" */
void findings_add_holder(struct findings *findings, bool blocks, const struct pci_device *device,
	const struct holder *holder);
bool findings_block(const struct findings *findings);
/* Everything that blocks as one reason, for whom there is no list: what is about the same device
 * one after the other, a process once, and how many did not fit. -1, or 0 when nothing blocks. */
int findings_refuse(const struct findings *findings, struct error *error);
/* [{"blocks", "text"}]; the caller's. */
sd_json_variant *findings_json(const struct findings *findings);
void findings_finish(struct findings *findings);

#endif
