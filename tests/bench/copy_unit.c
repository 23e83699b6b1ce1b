#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "stamp.h"

/*
 * The unit of the figures: one memcpy of a frame from one mapping to another, as often as fits into
 * half a second, each time between other buffers, as frames are. Prints the median in µs of
 * processor time: what other programs did meanwhile is not the memory's limit.
 */

#define BUFFERS 3
#define SAMPLES_MAX 20000
#define DURATION UINT64_C(500000000)

static int compare(const void *a, const void *b) {
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

static uint64_t processor_time(void) {
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint8_t *map(size_t size) {
	uint8_t *data = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (data == MAP_FAILED) {
		perror("copy-unit");
		exit(1);
	}
	memset(data, 1, size);
	return data;
}

int main(int argc, char *argv[]) {
	size_t size = argc == 2 ? (size_t)atoll(argv[1]) : 0;
	static uint64_t samples[SAMPLES_MAX];
	if (size == 0) {
		fputs("copy-unit BYTES\n", stderr);
		return 2;
	}
	uint8_t *from = map(size * BUFFERS), *to = map(size * 2);
	uint64_t start = stamp_now();
	size_t count = 0;
	while (count < SAMPLES_MAX && stamp_now() - start < DURATION) {
		uint64_t before = processor_time();
		memcpy(to + (count % 2) * size, from + (count % BUFFERS) * size, size);
		samples[count++] = processor_time() - before;
	}
	qsort(samples, count, sizeof(samples[0]), compare);
	printf("%.2f\n", (double)samples[count / 2] / 1000);
	return 0;
}
