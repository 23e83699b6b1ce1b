#ifndef HOST_IDENTITY_KNOWN_H
#define HOST_IDENTITY_KNOWN_H

#include "identity/identity.h"

/* The devices that were given a name. They stay known when they are not there. */
struct known_device {
	char *name;
	struct identity identity;
	char *address; /* where it was seen last */
};

struct known {
	struct known_device *devices;
	size_t count;
};

enum known_state {
	KNOWN_PRESENT,
	KNOWN_MOVED, /* the same card, in another place */
	KNOWN_AMBIGUOUS, /* not in its place, and several of its kind elsewhere */
	KNOWN_REPLACED, /* another card is in its place */
	KNOWN_ABSENT,
};

/* Reads the file of names, scfg; an absent file is an empty list. -1 with the reason. */
int known_load(struct known *known, const char *path, struct error *error);
int known_save(const struct known *known, const char *path, struct error *error);
void known_finish(struct known *known);

struct known_device *known_find(const struct known *known, const char *name);
/* Names a device, anew when the name is known already. -1 when the name is not one: letters,
 * digits, - and _, starting with a letter (so that it is never taken for an address). */
int known_add(struct known *known, const char *name, const struct pci_device *device,
	struct error *error);
/* -1 when there is none. */
int known_remove(struct known *known, const char *name);

/* Finds a known device in a machine. `device` is set for PRESENT and MOVED, else NULL. A place
 * where another known device is present does not count as one that this could have moved to. */
enum known_state known_locate(const struct known *known, const struct known_device *entry,
	const struct machine *machine, struct pci_device **device);
const char *known_state_name(enum known_state state);

/* A device by address or by known name. NULL with the reason: no such thing, absent, replaced by
 * another card, not to be told from others of its kind. */
struct pci_device *known_resolve(const struct known *known, const struct machine *machine,
	const char *text, struct error *error);
/* The same for what was written down to hold for long, as a policy: an address that a known device
 * had when it was seen last, and has no more, stands for nothing. NULL with the reason. */
struct pci_device *known_resolve_lasting(const struct known *known, const struct machine *machine,
	const char *text, struct error *error);
/* The name that a device present in the machine is known by, or NULL. */
const char *known_name_of(
	const struct known *known, const struct machine *machine, const struct pci_device *device);

#endif
