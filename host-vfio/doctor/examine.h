#ifndef HOST_DOCTOR_EXAMINE_H
#define HOST_DOCTOR_EXAMINE_H

#include "doctor/doctor.h"

/* Parts of doctor_examine(). Where the tree does not say something, nothing is said of it. */

/* Huge pages set aside and free. */
void examine_memory(struct diagnoses *diagnoses, struct tree *tree);
/* Suspend to memory, which resets a graphics card that nothing else does. */
void examine_sleep(struct diagnoses *diagnoses, struct tree *tree);
/* Is there a keyboard that no USB controller takes along? */
void examine_keyboard(struct diagnoses *diagnoses, const struct machine *machine);

/* Did each device that the set-up reserves come to be reserved? */
void examine_reservations(
	struct diagnoses *diagnoses, const struct machine *machine, struct tree *tree);

#endif
