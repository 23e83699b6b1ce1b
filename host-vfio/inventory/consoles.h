#ifndef HOST_INVENTORY_CONSOLES_H
#define HOST_INVENTORY_CONSOLES_H

#include "inventory/machine.h"

/* Adds the holders that are what shows kernel messages and text consoles, and framebuffers (fbdev).
 */
void consoles_read(struct machine *machine, struct tree *tree);

#endif
