#ifndef HOST_DOCTOR_ROM_COPY_H
#define HOST_DOCTOR_ROM_COPY_H

#include "base/error.h"
#include "inventory/machine.h"

/* A copy of an expansion ROM, to be looked at. Zero-initialised is empty. */
struct rom_copy {
	void *data;
	size_t size; /* bytes */
};

/* From a file; -1 with the reason. */
int rom_copy_read_file(struct rom_copy *copy, const char *path, struct error *error);

/* From the card, which no driver of the host may have (see rom_copy_is_free()); it takes root. -1
 * with the reason. */
int rom_copy_read_card(struct rom_copy *copy, struct tree *tree, const struct pci_device *device,
	struct error *error);
/* Has no driver the card that may use it at the same moment? */
bool rom_copy_is_free(const struct pci_device *device);

void rom_copy_finish(struct rom_copy *copy);

#endif
