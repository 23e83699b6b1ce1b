#ifndef HOST_RECORD_RECORD_H
#define HOST_RECORD_RECORD_H

#include <stdio.h>

#include "inventory/machine.h"
#include "tree/memory.h"

/* Reads a machine and keeps everything that was looked at, and nothing else: of open files only
 * those of graphics, sound, VFIO and disk nodes, of mounts only those of block devices and ZFS
 * pools, of routes neither gateways nor, but for default ones, destinations; of logins over the
 * network not where from; no serial numbers or hardware addresses. The caller's.
 */
struct memory_tree *record_machine(struct tree *tree);

/* Reads this machine as it was recorded, as portal-machine(5), and closes the file. -1 with the
 * reason. */
int record_read_machine(struct machine *machine, FILE *file, struct error *error);

#endif
