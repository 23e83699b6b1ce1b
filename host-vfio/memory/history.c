#include "memory/history.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

/* What the first report stands for, and any of them at most: a guest that does nothing is silent.
 */
enum { REPORT_FIRST = 60, REPORT_MOST = 3600 };

static const uint64_t smallest = 1024 * 1024;

static uint64_t bound_of(unsigned bucket) {
	return (uint64_t)ceil((double)smallest * exp2(bucket / 4.0));
}

static unsigned bucket_of(uint64_t bytes) {
	unsigned bucket = 0;
	while (bucket < HISTORY_BUCKETS - 1 && bound_of(bucket) < bytes) {
		bucket++;
	}
	return bucket;
}

static struct history_guest *find(const struct history *history, const char *name) {
	for (size_t i = 0; i < history->count; i++) {
		if (strcmp(history->guests[i].name, name) == 0) {
			return &history->guests[i];
		}
	}
	return NULL;
}

const struct history_guest *history_find(const struct history *history, const char *name) {
	return find(history, name);
}

/* How much of a report counts. */
static double seconds_of(long seconds, bool is_first, double age) {
	if (is_first) {
		return seconds < 0 ? REPORT_FIRST : fmin((double)seconds, REPORT_MOST);
	}
	return fmin(seconds < 0 ? age : fmin((double)seconds, age), REPORT_MOST);
}

void history_add(struct history *history, const char *name, uint64_t bytes, long seconds,
	time_t now, unsigned half_life) {
	struct history_guest *guest = find(history, name);
	bool is_first = !guest;
	if (is_first) {
		history->guests =
			must_grow(history->guests, history->count, sizeof(*history->guests));
		guest = &history->guests[history->count++];
		*guest = (struct history_guest){.name = must_copy(name), .updated = now};
	}
	double age = now > guest->updated ? difftime(now, guest->updated) : 0;
	double decay = exp2(-age / half_life);
	for (unsigned i = 0; i < HISTORY_BUCKETS; i++) {
		guest->weights[i] *= decay;
	}
	guest->weights[bucket_of(bytes)] += seconds_of(seconds, is_first, age);
	guest->updated = now > guest->updated ? now : guest->updated;
	guest->last = bytes;
	guest->peak = bytes > guest->peak ? bytes : guest->peak;
}

uint64_t history_percentile(const struct history_guest *guest, unsigned percent) {
	double total = 0, sum = 0;
	for (unsigned i = 0; i < HISTORY_BUCKETS; i++) {
		total += guest->weights[i];
	}
	for (unsigned i = 0; i < HISTORY_BUCKETS; i++) {
		sum += guest->weights[i];
		/* Sums in another order differ in their last bits. */
		if (sum > 0 && sum * 100 >= total * percent * (1 - 1e-9)) {
			return bound_of(i) < guest->peak ? bound_of(i) : guest->peak;
		}
	}
	return 0;
}

void history_finish(struct history *history) {
	for (size_t i = 0; i < history->count; i++) {
		free(history->guests[i].name);
	}
	free(history->guests);
	*history = (struct history){0};
}
