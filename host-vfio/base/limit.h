#ifndef HOST_BASE_LIMIT_H
#define HOST_BASE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* So many at once, and then one in each interval. */
struct limit {
	unsigned most;
	uint64_t interval; /* µs */
	unsigned used;
	uint64_t since; /* when one of `used` was given back, µs */
};

/* Takes one, at a time in µs that never goes back. False: there is none. */
bool limit_take(struct limit *limit, uint64_t now);
/* How long until there is one, in µs, where limit_take() has just said that there is none. */
uint64_t limit_wait(const struct limit *limit, uint64_t now);

#endif
