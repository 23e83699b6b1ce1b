#ifndef HOST_CLI_SETUP_H
#define HOST_CLI_SETUP_H

#include "cli/cli.h"
#include "setup/generate.h"

/* What `setup` was asked for, and what comes of it. */

/* DEVICE,rom=ROM */
struct setup_rom {
	const struct pci_device *device;
	char *rom; /* a file, or "any": whatever is in it */
};

struct setup {
	const char *into; /* the root of the system that is set up */
	struct strings names, unguarded;
	struct setup_rom *roms;
	size_t roms_count;
	struct evdevs evdevs;
	struct setup_options options; /* its devices come with all of their groups */
	struct setup_plan files;
};

/* Each complains, and returns another status than CLI_DONE, when the set-up may not be made. */

/* The survival guard. */
int setup_check_guard(struct cli *cli, const struct setup *setup);
/* Members of the devices' IOMMU groups that a driver of the host keeps. */
int setup_check_groups(struct cli *cli, const struct setup *setup);
/* Huge pages that the machine cannot have or spare. */
int setup_check_pages(struct cli *cli, const struct setup *setup);
/* The ROMs of graphics cards. What could not be looked at becomes a note. */
int setup_check_roms(struct cli *cli, struct setup *setup);

/* Adds what the person is to know of devices that are reserved: who comes along, what the machine
 * lacks, and what only the next start will tell. */
void setup_note_devices(struct cli *cli, struct setup *setup);

#endif
