#ifndef HOST_INVENTORY_TOPOLOGY_H
#define HOST_INVENTORY_TOPOLOGY_H

#include <stddef.h>

#include "base/error.h"
#include "inventory/cpuset.h"
#include "tree/tree.h"

/* The host's processors: which of them are threads of one core, and which node's memory is near. */

struct topology_core {
	struct cpuset threads;
	unsigned threads_count;
	int node; /* of memory; 0 where the kernel knows of none */
	bool slow; /* of the two kinds of a hybrid processor of Intel's */
};

struct topology {
	struct cpuset online;
	struct topology_core *cores; /* in order of their first threads */
	size_t cores_count;
};

/* From /sys/devices/system. -1 when the kernel does not say which processors there are. Where it
 * does not say what belongs together, each is a core. */
int topology_read(struct topology *topology, struct tree *tree, struct error *error);
void topology_finish(struct topology *topology);

/* May a guest's processors be pinned there? -1 with the reason: an empty set, a processor that the
 * host has not, or all that it has. */
int topology_check(
	const struct topology *topology, const struct cpuset *pinned, struct error *error);

/* The first core that a set has a part of and not the whole; NULL when it has whole cores. Whoever
 * runs on the other part slows the guest down. */
const struct topology_core *topology_split_core(
	const struct topology *topology, const struct cpuset *set);

/*
 * A place for each of `count` virtual processors: threads of whole cores, of fast ones where there
 * are enough, and of one memory node where that has enough, from the last core on; the first core
 * always stays with the host. `pins` has room for `count`; `rest` becomes what is left. -1 with the
 * reason.
 */
int topology_suggest(const struct topology *topology, unsigned count, unsigned *pins,
	struct cpuset *rest, struct error *error);

#endif
