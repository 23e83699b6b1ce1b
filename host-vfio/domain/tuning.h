#ifndef HOST_DOMAIN_TUNING_H
#define HOST_DOMAIN_TUNING_H

#include <libxml/tree.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "domain/hostdev.h"

/* What a definition says about power states, huge pages and the host's processors. */

/* S3 is suspend to memory, S4 to disk. A guest that owns a graphics card often does not survive
 * either. */
void tuning_set_suspend(xmlNode *root, enum domain_switch to_memory, enum domain_switch to_disk);

#define TUNING_HUGEPAGES_DEFAULT UINT64_MAX
/* Size of a page in bytes; TUNING_HUGEPAGES_DEFAULT for the host's default size; 0: ordinary pages.
 */
void tuning_set_hugepages(xmlNode *root, uint64_t size);

/* One virtual processor's place, as libvirt's cpuset ("4,12", "0-3,^2"). */
struct domain_pin {
	unsigned vcpu;
	const char *cpuset;
};

/* Pins virtual processors; the others keep what they have. -1 for one that the guest has not. */
int tuning_pin(xmlNode *root, const struct domain_pin *pins, size_t count, struct error *error);
/* Where QEMU's own threads run. */
void tuning_pin_emulator(xmlNode *root, const char *cpuset);
/* Takes all of these pins away. */
void tuning_unpin(xmlNode *root);
/* Calls `each` for every pin: with the virtual processor's number, or -1 for QEMU's own threads. */
void tuning_each_pin(
	xmlNode *root, void (*each)(void *data, int vcpu, const char *cpuset), void *data);
/* The number of virtual processors; at least 1. */
unsigned tuning_vcpus(xmlNode *root);

#endif
