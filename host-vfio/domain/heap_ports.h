#ifndef HOST_DOMAIN_HEAP_PORTS_H
#define HOST_DOMAIN_HEAP_PORTS_H

#include <libxml/tree.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Root ports of a controller VM that are empty at its start, so that heaps can come while it runs.
 * A heap's BAR needs a window of address space behind its port, which the firmware lays out at
 * boot: the port asks for it with QEMU's property pref64-reserve, which libvirt has no word of its
 * own for
 * (<qemu:override>). Its own, memReserve, is for the address space below 4 GiB, of which there is
 * little.
 */

#define HEAP_PORTS_MAX 64
#define HEAP_PORTS_SIZE_MAX (UINT64_C(64) << 30)

/* Makes it `count` ports, each good for heaps of up to `most` bytes. 0: none. -1 with the reason.
 */
int heap_ports_prepare(xmlNode *root, unsigned count, uint64_t most, struct error *error);

/* In a running domain's description: the bus of an empty port that is good for a heap. -1 with the
 * reason. */
int heap_ports_find(xmlNode *root, uint64_t size, struct error *error);
unsigned heap_ports_count(xmlNode *root);
/* Is the <controller> one of them? */
bool heap_ports_has(xmlNode *controller);

#endif
