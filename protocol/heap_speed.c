#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "heap.h"

#define MEASURE_SIZE (128u << 10)
#define MEASURE_PASSES 16
#define MEASURE_NS 20000000 /* slow memory gets fewer passes */

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

/* The fastest pass: whatever else the machine does only makes one slower. */
static uint32_t measure(void *to, const void *from) {
	copy_once(to, from);
	int64_t begin = now_ns(), best = INT64_MAX, now = begin;
	for (int i = 0; i < MEASURE_PASSES && now - begin < MEASURE_NS; i++) {
		int64_t start = now_ns();
		copy_once(to, from);
		now = now_ns();
		best = now - start < best ? now - start : best;
	}
	best = best > 0 ? best : 1;
	return (uint32_t)(MEASURE_SIZE * INT64_C(1000) / best);
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
