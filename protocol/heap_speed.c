#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "heap.h"

#define MEASURE_SIZE (128u << 10)
#define MEASURE_NS 1000000

static int64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Pages present, translations loaded: only the memory itself is to be timed. */
static void copy_once(void *to, const void *from) {
	memcpy(to, from, MEASURE_SIZE);
	__asm__ volatile("" : : "r"(to) : "memory"); /* the copy is what is wanted of it */
}

static uint32_t measure(void *to, const void *from) {
	copy_once(to, from);
	int64_t start = now_ns(), elapsed;
	uint64_t bytes = 0;
	do {
		copy_once(to, from);
		bytes += MEASURE_SIZE;
		elapsed = now_ns() - start;
	} while (elapsed < MEASURE_NS);
	return (uint32_t)(bytes * 1000 / (uint64_t)elapsed);
}

void portal_heap_measure(struct portal_heap *heap, bool guest) {
	uint64_t half = heap->header.scratch_size / 2;
	void *buffer = malloc(MEASURE_SIZE);
	if (buffer == NULL || half < MEASURE_SIZE) {
		free(buffer);
		return;
	}
	memset(buffer, 0, MEASURE_SIZE);
	uint8_t *scratch = portal_heap_at(heap, heap->header.scratch_offset + (guest ? 0 : half));
	heap->write_speed = measure(scratch, buffer);
	heap->read_speed = measure(buffer, scratch);
	free(buffer);
}
