#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "inventory/machine.h"
#include "utf8.h"

static bool same_text(const char *a, const char *b) {
	return a == b || (a && b && strcmp(a, b) == 0);
}

struct holder *machine_add_holder(struct pci_device *device, enum holder_kind kind,
	const char *name, const char *through, int pid) {
	/* A process has a node open many times, a disk is part of several mounts. */
	for (size_t i = 0; i < device->holders_count; i++) {
		struct holder *other = &device->holders[i];
		if (other->kind == kind && other->pid == pid && same_text(other->name, name) &&
			same_text(other->through, through)) {
			return other;
		}
	}
	device->holders = must_grow(device->holders, device->holders_count, sizeof(struct holder));
	struct holder *holder = &device->holders[device->holders_count++];
	*holder = (struct holder){
		.kind = kind,
		.name = must_copy(name),
		.through = must_copy(through),
		.pid = pid,
	};
	return holder;
}

void machine_drop_holders(struct pci_device *device,
	bool (*goes)(const struct holder *holder, const void *data), const void *data) {
	size_t kept = 0;
	for (size_t i = 0; i < device->holders_count; i++) {
		struct holder *holder = &device->holders[i];
		if (!goes(holder, data)) {
			device->holders[kept++] = *holder;
			continue;
		}
		free(holder->name);
		free(holder->through);
		free(holder->peer);
		free(holder->unit);
	}
	device->holders_count = kept;
}

const char *holder_kind_name(enum holder_kind kind) {
	static const char *const names[] = {
		[HOLDER_PROCESS] = "process",
		[HOLDER_MOUNT] = "mount",
		[HOLDER_SWAP] = "swap",
		[HOLDER_ROUTE] = "default-route",
		[HOLDER_NETWORK] = "network",
		[HOLDER_LOGIN] = "login",
		[HOLDER_CONSOLE] = "console",
		[HOLDER_FRAMEBUFFER] = "framebuffer",
		[HOLDER_INPUT] = "input",
	};
	return names[kind];
}

static char *make_sentence(const struct holder *holder) {
	const char *through = holder->through ? holder->through : "it";
	switch (holder->kind) {
	case HOLDER_PROCESS:
		return must_print("%s (pid %d%s%s) has %s open", holder->name, holder->pid,
			holder->unit ? " of " : "", holder->unit ? holder->unit : "", through);
	case HOLDER_MOUNT:
		return must_print("%s is mounted from %s", holder->name, through);
	case HOLDER_SWAP:
		return must_print("%s is swap space", holder->name);
	case HOLDER_ROUTE:
		return must_print("the default route%s%s goes through %s",
			holder->through ? " of " : "", holder->through ? holder->through : "",
			holder->name);
	case HOLDER_NETWORK:
		return must_print("%s is reached through %s", holder->name, through);
	case HOLDER_LOGIN:
		return must_print("somebody is logged in%s%s by %s (pid %d) through %s",
			holder->peer ? " from " : "", holder->peer ? holder->peer : "",
			holder->name, holder->pid, through);
	case HOLDER_CONSOLE:
		return must_print("the console %s is shown through it", holder->name);
	case HOLDER_FRAMEBUFFER:
		return holder->through ? must_print("the framebuffer %s of the firmware is on it",
						 holder->name)
				       : must_print("the framebuffer %s is on it", holder->name);
	case HOLDER_INPUT:
		return must_print("%s is plugged into it", holder->name);
	}
	return must_copy(holder->name);
}

/* A process is called what it wants to be, and a disk is mounted where its label says: on its way
 * to a terminal or a log that is printable. */
char *holder_sentence(const struct holder *holder) {
	char *sentence = make_sentence(holder);
	utf8_make_printable(sentence);
	return sentence;
}
