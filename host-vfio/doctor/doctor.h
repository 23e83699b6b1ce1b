#ifndef HOST_DOCTOR_DOCTOR_H
#define HOST_DOCTOR_DOCTOR_H

#include "doctor/rom_copy.h"
#include "inventory/machine.h"

/* Can this machine give its devices away, and what is missing, in words to act on. */

enum diagnosis_grade {
	DIAGNOSIS_GOOD,
	DIAGNOSIS_HINT, /* works, and is worth knowing or could be better */
	DIAGNOSIS_PROBLEM, /* does not work like this */
};

struct diagnosis {
	enum diagnosis_grade grade;
	const char *id; /* short, for programs: "iommu" */
	char *finding; /* one sentence */
	char *remedy; /* what to do, or NULL */
};

struct diagnoses {
	struct diagnosis *items;
	size_t count;
};

/* Looks at processor, firmware, kernel, memory, IOMMU groups, graphics cards and keyboards. Reads
 * only. */
void doctor_examine(struct diagnoses *diagnoses, const struct machine *machine, struct tree *tree);
/* Looks at a copy of a graphics card's expansion ROM, for a guest that boots by UEFI. `name` is
 * where it came from; `device` the card that it is meant for, or NULL: any. */
void doctor_examine_rom(struct diagnoses *diagnoses, const struct pci_device *device,
	const char *name, const struct rom_copy *copy);
/* Looks at what shares the IOMMU group of a device; says nothing where it is alone on its card. */
void doctor_examine_group(struct diagnoses *diagnoses, const struct machine *machine,
	const struct pci_device *device);
void diagnoses_add(struct diagnoses *diagnoses, enum diagnosis_grade grade, const char *id,
	char *finding, char *remedy);
void diagnoses_finish(struct diagnoses *diagnoses);
const char *diagnosis_grade_name(enum diagnosis_grade grade);

#endif
