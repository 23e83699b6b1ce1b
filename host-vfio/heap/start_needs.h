#ifndef HOST_HEAP_START_NEEDS_H
#define HOST_HEAP_START_NEEDS_H

#include "base/strings.h"

/*
 * Makes what a domain's start wants beside the domain: the file of a guest's own heap, and for a
 * controller VM what it has of guests that may start later, the files of their heaps and the places
 * of their channels' sockets (libvirt looks for them, to own them; a guest's start takes the
 * place). A heap's file is made where it is missing (of an nvdimm's QEMU would make empty memory)
 * and where it has another size than the definition says, but for a guest's that somebody has open.
 * An ivshmem file that is missing is left to QEMU, whose user has to own it. `xml` is the
 * definition; for a domain that has nothing of Portal's nothing is made. What cannot be made does
 * not keep the rest from being made: `problems` gets a sentence for each, with the path. 0, or -1
 * when there are any.
 */
int start_needs_make(const char *xml, struct strings *problems);

#endif
