#ifndef HOST_HEAP_CONTROLLER_NEEDS_H
#define HOST_HEAP_CONTROLLER_NEEDS_H

#include "base/strings.h"

/*
 * Makes what a controller VM's start wants of its guests, which may start later: the files of their
 * heaps as nvdimm where they are missing (QEMU would make empty memory of them), and the places of
 * their channels' sockets (libvirt looks for them, to own them; a guest's start takes the place).
 * `xml` is the definition; of other domains nothing is made. What cannot be made does not keep the
 * rest from being made: `problems` gets a sentence for each, with the path. 0, or -1 when there are
 * any.
 */
int controller_needs_make(const char *xml, struct strings *problems);

#endif
