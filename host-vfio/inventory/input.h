#ifndef HOST_INVENTORY_INPUT_H
#define HOST_INVENTORY_INPUT_H

#include "inventory/machine.h"

/* Adds the holders that are keyboards and mice, PS/2 and others. */
void input_read(struct machine *machine, struct tree *tree);

#endif
