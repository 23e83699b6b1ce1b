#include "memory/memory_host.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

static uint64_t multiply(uint64_t a, uint64_t b) {
	uint64_t product;
	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t read_pages(struct tree *tree, const char *name, const char *file) {
	long long pages = tree_number(tree, 0, "/sys/kernel/mm/hugepages/%s/%s", name, file);
	return pages > 0 ? (uint64_t)pages : 0;
}

/* "hugepages-2048kB" */
static void read_pool(struct memory_host *host, struct tree *tree, const char *name) {
	uint64_t kib;
	if (host->pools_count == MEMORY_POOLS ||
		sscanf(name, "hugepages-%" SCNu64 "kB", &kib) != 1) {
		return;
	}
	uint64_t page = multiply(kib, 1024), all = read_pages(tree, name, "nr_hugepages");
	uint64_t unused = read_pages(tree, name, "free_hugepages");
	uint64_t promised = read_pages(tree, name, "resv_hugepages");
	host->pools[host->pools_count++] = (struct memory_pool){
		.page = page,
		.total = multiply(all, page),
		.free = multiply(unused > promised ? unused - promised : 0, page),
	};
}

void memory_host_read(struct memory_host *host, struct tree *tree) {
	*host = (struct memory_host){0};
	char *text = tree_text(tree, "/proc/meminfo");
	const char *line = text ? strstr(text, "Hugepagesize:") : NULL;
	host->total = size_total_memory(text);
	host->page = line ? multiply(strtoull(line + strlen("Hugepagesize:"), NULL, 10), 1024) : 0;
	free(text);
	struct strings names = tree_list(tree, "/sys/kernel/mm/hugepages");
	for (size_t i = 0; i < names.count; i++) {
		read_pool(host, tree, names.items[i]);
	}
	strings_finish(&names);
}

uint64_t memory_host_pooled(const struct memory_host *host) {
	uint64_t pooled = 0;
	for (size_t i = 0; i < host->pools_count; i++) {
		if (__builtin_add_overflow(pooled, host->pools[i].total, &pooled)) {
			return UINT64_MAX;
		}
	}
	return pooled;
}

int memory_host_find(const struct memory_host *host, uint64_t page) {
	page = page == MEMORY_PAGE_DEFAULT ? host->page : page;
	for (size_t i = 0; i < host->pools_count; i++) {
		if (host->pools[i].page == page && page != 0) {
			return (int)i;
		}
	}
	return -1;
}
