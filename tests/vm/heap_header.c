/*
 * heap-header HEAP: maps a heap as the bridge does, and prints the id and the size in its header,
 * which the guest's agent wrote. For a controller VM that has no compositor.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "heap.h"

static const uint8_t *find_magic(const struct portal_heap *heap) {
	static const size_t places[] = {0, PORTAL_HEAP_DAX_BASE};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (places[i] < heap->map_size &&
			memcmp(heap->map + places[i], "PORTHEAP", 8) == 0) {
			return heap->map + places[i];
		}
	}
	return NULL;
}

int main(int argc, char *argv[]) {
	struct portal_heap_address address;
	struct portal_heap heap;
	const char *error = "expected: heap-header HEAP";
	if (argc != 2 || portal_heap_parse(&address, argv[1], &error) < 0 ||
		portal_heap_map(&heap, &address, &error) < 0) {
		printf("no heap: %s: %s\n", error, strerror(errno));
		return 1;
	}
	const uint8_t *header = find_magic(&heap);
	uint8_t id[16];
	if (header != NULL) {
		memcpy(id, header + offsetof(struct portal_heap_header, id), sizeof(id));
	}
	if (header == NULL || portal_heap_find_header(&heap, id, &error) < 0) {
		printf("no heap: no header (first byte %02x)\n", heap.map[0]);
		return 1;
	}
	printf("heap ");
	for (size_t i = 0; i < sizeof(id); i++) {
		printf("%02x", id[i]);
	}
	printf(" of %llu bytes\n", (unsigned long long)heap.header.size);
	portal_heap_finish(&heap);
	return 0;
}
