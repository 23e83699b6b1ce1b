#ifndef HOST_DOCTOR_FACTS_H
#define HOST_DOCTOR_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "tree/tree.h"

/* What processor, firmware and kernel say of themselves. */
struct facts {
	bool intel; /* else AMD, or one that says neither */
	bool virtualization; /* VT-x or AMD-V among the processor's flags */
	bool pages_1g; /* the processor has pages of 1 GiB */
	uint64_t memory; /* bytes; 0: unknown */
	bool kvm; /* the kernel's KVM is usable */
	bool iommu_table; /* the firmware describes an IOMMU to the kernel (ACPI DMAR, IVRS) */
	bool efi; /* started by UEFI */
	bool vfio_module; /* vfio-pci can be loaded */
	bool acs_override;
	char *maker; /* of the board, as the firmware says; NULL: it does not */
	struct strings command_line; /* the kernel's, word by word */
};

void facts_read(struct facts *facts, struct tree *tree);
void facts_finish(struct facts *facts);

#endif
