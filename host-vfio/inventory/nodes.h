#ifndef HOST_INVENTORY_NODES_H
#define HOST_INVENTORY_NODES_H

#include "inventory/machine.h"

/* Adds the holders that are processes that have device nodes open: DRM, framebuffers, sound, VFIO,
 * NVIDIA's own; disks and what stands on them for writing.
 */
void nodes_read(struct machine *machine, struct tree *tree);

#endif
