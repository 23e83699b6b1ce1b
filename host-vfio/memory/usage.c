#include "memory/usage.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

void memory_usage_finish(struct memory_usage *usage) {
	for (size_t i = 0; i < usage->shared_count; i++) {
		free(usage->shared[i].path);
	}
	free(usage->shared);
	*usage = (struct memory_usage){0};
}

void memory_usage_share(struct memory_usage *usage, const char *path, uint64_t size, bool own) {
	usage->shared = must_grow(usage->shared, usage->shared_count, sizeof(*usage->shared));
	usage->shared[usage->shared_count++] =
		(struct memory_shared){.path = must_copy(path), .size = size, .own = own};
}

void memory_usage_copy(struct memory_usage *usage, const struct memory_usage *from) {
	*usage = *from;
	usage->shared = NULL;
	usage->shared_count = 0;
	for (size_t i = 0; i < from->shared_count; i++) {
		const struct memory_shared *shared = &from->shared[i];
		memory_usage_share(usage, shared->path, shared->size, shared->own);
	}
}

const struct memory_shared *memory_usage_heap(const struct memory_usage *usage) {
	for (size_t i = 0; i < usage->shared_count; i++) {
		if (usage->shared[i].own) {
			return &usage->shared[i];
		}
	}
	return NULL;
}

bool memory_usage_has(const struct memory_usage *usage, const char *path) {
	for (size_t i = 0; i < usage->shared_count; i++) {
		if (strcmp(usage->shared[i].path, path) == 0) {
			return true;
		}
	}
	return false;
}

/* Definitions are other people's: nothing that they say may wrap around. */
static uint64_t add(uint64_t a, uint64_t b) {
	uint64_t sum;
	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

uint64_t memory_usage_total(const struct memory_usage *usage) {
	uint64_t total = usage->memory;
	for (size_t i = 0; i < usage->shared_count; i++) {
		total = add(total, usage->shared[i].size);
	}
	return total;
}

struct scheme_running *memory_holders_count(
	const struct memory_holder *holders, size_t count, const struct strings *apart) {
	struct scheme_running *running = must_alloc(count + 1, sizeof(*running));
	struct strings counted = {0};
	for (size_t i = 0; i < count; i++) {
		running[i].name = holders[i].name;
		running[i].memory = holders[i].usage->memory;
		running[i].page = holders[i].usage->page;
	}
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < count; i++) {
			const struct memory_usage *usage = holders[i].usage;
			const struct memory_shared *heap = memory_usage_heap(usage);
			for (size_t k = 0; k < usage->shared_count; k++) {
				const struct memory_shared *shared = &usage->shared[k];
				if (shared->own != (pass == 0) ||
					strings_contain(&counted, shared->path) ||
					(apart && strings_contain(apart, shared->path))) {
					continue;
				}
				strings_add(&counted, shared->path);
				bool planned = shared == heap && holders[i].heap;
				running[i].heap = add(
					running[i].heap, planned ? holders[i].heap : shared->size);
			}
		}
	}
	strings_finish(&counted);
	return running;
}
