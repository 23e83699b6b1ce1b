/*
 * Serials of the controller against those the agent gave to the application: a bounded map of
 * ranges, the oldest forgotten first.
 */
#ifndef GUEST_AGENT_SERIAL_H
#define GUEST_AGENT_SERIAL_H

#include <stddef.h>
#include <stdint.h>

#define SERIAL_MAP_SIZE 256

struct serial_map {
	struct serial_range {
		uint32_t first, last; // local, inclusive
		uint32_t remote;
	} ranges[SERIAL_MAP_SIZE];
	size_t count, next;
};

/** Local serials after `before` up to `after` (both as wl_display_get_serial()) mean `remote`. */
void serial_map_add(struct serial_map *map, uint32_t before, uint32_t after, uint32_t remote);

/** The controller's serial for a local one, or 0 when it is unknown or forgotten. */
uint32_t serial_map_find(const struct serial_map *map, uint32_t local);

#endif
