#include "inventory/topology.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

#define CPU_DIRECTORY "/sys/devices/system/cpu"
#define NODE_DIRECTORY "/sys/devices/system/node"

static bool read_set(struct tree *tree, struct cpuset *set, const char *path) {
	char *text = tree_text(tree, "%s", path);
	bool read = text != NULL && cpuset_parse(text, set);
	free(text);
	return read;
}

static void read_core(
	struct tree *tree, const struct cpuset *online, unsigned cpu, struct topology_core *core) {
	char *path = must_print(CPU_DIRECTORY "/cpu%u/topology/thread_siblings_list", cpu);
	struct cpuset threads;
	*core = (struct topology_core){0};
	if (read_set(tree, &threads, path)) {
		for (size_t i = 0; i < CPUSET_MAX / 64; i++) {
			core->threads.words[i] = threads.words[i] & online->words[i];
		}
	}
	cpuset_add(&core->threads, cpu);
	core->threads_count = cpuset_count(&core->threads);
	free(path);
}

/* Nodes are few; each says which processors are near. */
static void read_nodes(struct topology *topology, struct tree *tree) {
	struct cpuset nodes, near;
	if (!read_set(tree, &nodes, NODE_DIRECTORY "/online")) {
		return;
	}
	for (unsigned node = cpuset_next(&nodes, 0); node < CPUSET_MAX;
		node = cpuset_next(&nodes, node + 1)) {
		char *path = must_print(NODE_DIRECTORY "/node%u/cpulist", node);
		bool read = read_set(tree, &near, path);
		free(path);
		for (size_t i = 0; read && i < topology->cores_count; i++) {
			struct topology_core *core = &topology->cores[i];
			if (cpuset_has(&near, cpuset_next(&core->threads, 0))) {
				core->node = (int)node;
			}
		}
	}
}

/* Each kind has counters of its own (arch/x86/events/intel/core.c). */
static void read_slow(struct topology *topology, struct tree *tree) {
	struct cpuset slow;
	bool read = read_set(tree, &slow, "/sys/devices/cpu_atom/cpus");
	for (size_t i = 0; read && i < topology->cores_count; i++) {
		struct topology_core *core = &topology->cores[i];
		core->slow = cpuset_has(&slow, cpuset_next(&core->threads, 0));
	}
}

int topology_read(struct topology *topology, struct tree *tree, struct error *error) {
	*topology = (struct topology){0};
	if (!read_set(tree, &topology->online, CPU_DIRECTORY "/online") ||
		cpuset_count(&topology->online) == 0) {
		return error_set(error, "the kernel does not say which processors there are (%s)",
			CPU_DIRECTORY "/online");
	}
	struct cpuset seen = {0};
	for (unsigned cpu = cpuset_next(&topology->online, 0); cpu < CPUSET_MAX;
		cpu = cpuset_next(&topology->online, cpu + 1)) {
		if (cpuset_has(&seen, cpu)) {
			continue;
		}
		topology->cores =
			must_grow(topology->cores, topology->cores_count, sizeof(*topology->cores));
		struct topology_core *core = &topology->cores[topology->cores_count++];
		read_core(tree, &topology->online, cpu, core);
		cpuset_add_all(&seen, &core->threads);
	}
	read_nodes(topology, tree);
	read_slow(topology, tree);
	return 0;
}

void topology_finish(struct topology *topology) {
	free(topology->cores);
	*topology = (struct topology){0};
}

int topology_check(
	const struct topology *topology, const struct cpuset *pinned, struct error *error) {
	char *online = cpuset_format(&topology->online);
	int result = 0;
	unsigned cpu = cpuset_next(pinned, 0);
	if (cpu == CPUSET_MAX) {
		result = error_set(error, "no processor is named");
	}
	for (; result == 0 && cpu < CPUSET_MAX; cpu = cpuset_next(pinned, cpu + 1)) {
		if (!cpuset_has(&topology->online, cpu)) {
			result = error_set(
				error, "the host has no processor %u (it has %s)", cpu, online);
		}
	}
	if (result == 0 && cpuset_count(pinned) == cpuset_count(&topology->online)) {
		result = error_set(error,
			"that is every processor the host has (%s): leave it one core at least",
			online);
	}
	free(online);
	return result;
}

const struct topology_core *topology_split_core(
	const struct topology *topology, const struct cpuset *set) {
	for (size_t i = 0; i < topology->cores_count; i++) {
		const struct topology_core *core = &topology->cores[i];
		unsigned inside = 0;
		for (unsigned cpu = cpuset_next(&core->threads, 0); cpu < CPUSET_MAX;
			cpu = cpuset_next(&core->threads, cpu + 1)) {
			inside += cpuset_has(set, cpu);
		}
		if (inside > 0 && inside < core->threads_count) {
			return core;
		}
	}
	return NULL;
}

/* Which cores a guest is to have: of one node or (-1) of any, and whether fast ones only. */
struct choice {
	int node;
	bool fast;
};

static bool is_chosen(const struct topology_core *core, const struct choice *choice) {
	return (choice->node < 0 || core->node == choice->node) && !(choice->fast && core->slow);
}

/* The index of the first of the last such cores that together have `count` threads; 0, which is the
 * host's, when there are not enough. */
static size_t find_cores(
	const struct topology *topology, const struct choice *choice, unsigned count) {
	unsigned threads = 0;
	for (size_t i = topology->cores_count; i-- > 1;) {
		const struct topology_core *core = &topology->cores[i];
		threads += is_chosen(core, choice) ? core->threads_count : 0;
		if (threads >= count) {
			return i;
		}
	}
	return 0;
}

/* The same of one node, or else of all. */
static size_t choose_cores(const struct topology *topology, struct choice *choice, unsigned count) {
	for (size_t i = topology->cores_count; i-- > 1;) {
		choice->node = topology->cores[i].node;
		size_t first = find_cores(topology, choice, count);
		if (first > 0) {
			return first;
		}
	}
	choice->node = -1;
	return find_cores(topology, choice, count);
}

int topology_suggest(const struct topology *topology, unsigned count, unsigned *pins,
	struct cpuset *rest, struct error *error) {
	struct choice choice = {.fast = true};
	size_t first = choose_cores(topology, &choice, count);
	if (first == 0) {
		choice.fast = false;
		first = choose_cores(topology, &choice, count);
	}
	if (first == 0) {
		return error_set(error,
			"the host has no %u processors to spare in whole cores: it has %zu cores "
			"and keeps the first",
			count, topology->cores_count);
	}
	*rest = topology->online;
	unsigned placed = 0;
	for (size_t i = first; i < topology->cores_count; i++) {
		const struct topology_core *core = &topology->cores[i];
		if (!is_chosen(core, &choice)) {
			continue;
		}
		for (unsigned cpu = cpuset_next(&core->threads, 0); cpu < CPUSET_MAX;
			cpu = cpuset_next(&core->threads, cpu + 1)) {
			/* A core that is not needed whole is kept free all the same. */
			rest->words[cpu / 64] &= ~(UINT64_C(1) << cpu % 64);
			if (placed < count) {
				pins[placed++] = cpu;
			}
		}
	}
	return 0;
}
