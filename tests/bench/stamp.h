#ifndef BENCH_STAMP_H
#define BENCH_STAMP_H

#include <stdint.h>
#include <time.h>

/*
 * What the generator writes into the damaged pixels and the sink looks for: the begin of the
 * damaged rectangle's first row says which frame this is and when it was committed, the end of its
 * last row repeats the number, so that a frame that arrives in part is seen.
 */
#define STAMP_MAGIC UINT64_C(0x21544c4154524f50)

struct stamp {
	uint64_t magic;
	uint64_t serial;
	uint64_t committed; /* CLOCK_MONOTONIC, ns */
};

static inline uint64_t stamp_now(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
