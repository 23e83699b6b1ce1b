#ifndef HOST_DOCTOR_DOCTOR_H
#define HOST_DOCTOR_DOCTOR_H

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
/* Looks at a copy of a graphics card's expansion ROM, for a guest that boots by UEFI. */
void doctor_examine_rom(
	struct diagnoses *diagnoses, const char *name, const void *data, size_t size);
void diagnoses_add(struct diagnoses *diagnoses, enum diagnosis_grade grade, const char *id,
	char *finding, char *remedy);
void diagnoses_finish(struct diagnoses *diagnoses);
const char *diagnosis_grade_name(enum diagnosis_grade grade);

#endif
