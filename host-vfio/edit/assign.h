#ifndef HOST_EDIT_ASSIGN_H
#define HOST_EDIT_ASSIGN_H

#include "domain/hostdev.h"
#include "domain/manager.h"
#include "inventory/machine.h"
#include "transaction/preflight.h"

/* Which of the host's functions a domain gets when a person names one, and what speaks against it.
 */

struct assignment {
	struct domain_hostdev *hostdevs;
	size_t count;
};

void assignment_finish(struct assignment *assignment);

struct domain_address assign_address(const struct pci_address *address);

/*
 * Adds a function, and those of the same card that share its IOMMU group: the host has no use for
 * them, and the guest's driver looks for them beside it. rom_bar and rom_file are for the named one
 * alone; rom_file is not copied. Naming one that came along already is fine.
 */
void assign_device(struct assignment *assignment, struct findings *findings,
	const struct machine *machine, const struct pci_device *device,
	const struct domain_hostdev *how);

/* What VFIO will say to the IOMMU groups as a whole. */
void assign_check_groups(const struct assignment *assignment, struct findings *findings,
	const struct machine *machine);

/* Other domains that have one of the functions, or another one of their groups: two of them cannot
 * run at once. 0, or an enum domain_failure with the reason. */
int assign_check_domains(const struct assignment *assignment, struct findings *findings,
	const struct machine *machine, struct domain_manager *manager, const char *domain,
	struct error *error);

/* Is the file an expansion ROM that this card's firmware would take? */
void assign_check_rom(struct findings *findings, const struct pci_device *device, const char *path);

#endif
