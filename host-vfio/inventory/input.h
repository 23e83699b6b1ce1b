#ifndef HOST_INVENTORY_INPUT_H
#define HOST_INVENTORY_INPUT_H

#include "inventory/machine.h"

/* Adds the holders that are keyboards and mice, PS/2 and others. */
void input_read(struct machine *machine, struct tree *tree);

/* Has the input device at this sysfs path all of the first 31 keys, ESC to S? That is what udev's
 * input_id calls a keyboard too. */
bool input_is_keyboard(struct tree *tree, const char *path);
/* X and Y, relative (mice) or absolute (touchpads, tablets). A joystick passes for a pointer too:
 * leaving its controller with the host is the harmless mistake. */
bool input_is_pointer(struct tree *tree, const char *path);

#endif
