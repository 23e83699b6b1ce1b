#ifndef HOST_MEMORY_SETTINGS_H
#define HOST_MEMORY_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scfg/scfg_file.h"

/* The memory and guest blocks of portal-host(5). Sizes in bytes. */

struct memory_guest {
	char *name;
	uint64_t memory, heap_least, heap_most;
	char *domain; /* libvirt's name; NULL: the same */
};

struct memory_settings {
	bool has_block; /* there is a memory block */
	bool planned; /* there is a memory or a guest block: without any, nothing is refused */
	uint64_t budget; /* 0: all but the reserve */
	uint64_t reserve; /* what the host keeps */
	/* Domains that the policy does not name are refused too; else they only count. */
	bool refuse_unnamed;
	unsigned percentile; /* percent of the time */
	unsigned headroom; /* percent above the percentile */
	unsigned half_life; /* seconds */
	struct memory_guest *guests;
	size_t guests_count;
};

void memory_settings_init(struct memory_settings *settings);
void memory_settings_finish(struct memory_settings *settings);
/* Reads these blocks of the policy's file, and passes over the others; absent is all defaults. -1
 * with the reason. */
int memory_settings_load(struct memory_settings *settings, const char *path, struct error *error);
/* Read one block; -1 with the reason. */
int memory_settings_read(struct memory_settings *settings, const struct scfg_file *file,
	const struct scfg_directive *directive);
int memory_settings_read_guest(struct memory_settings *settings, const struct scfg_file *file,
	const struct scfg_directive *directive);
const struct memory_guest *memory_settings_find(
	const struct memory_settings *settings, const char *name);

#endif
