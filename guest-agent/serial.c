#include "serial.h"

void serial_map_add(struct serial_map *map, uint32_t before, uint32_t after, uint32_t remote) {
	if (before == after) {
		return; // nobody was told
	}
	map->ranges[map->next] =
		(struct serial_range){.first = before + 1, .last = after, .remote = remote};
	map->next = (map->next + 1) % SERIAL_MAP_SIZE;
	if (map->count < SERIAL_MAP_SIZE) {
		map->count++;
	}
}

uint32_t serial_map_find(const struct serial_map *map, uint32_t local) {
	for (size_t i = 1; i <= map->count; i++) {
		const struct serial_range *range =
			&map->ranges[(map->next + SERIAL_MAP_SIZE - i) % SERIAL_MAP_SIZE];
		// Serials wrap around: compare distances.
		if (local - range->first <= range->last - range->first) {
			return range->remote;
		}
	}
	return 0;
}
