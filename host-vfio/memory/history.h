#ifndef HOST_MEMORY_HISTORY_H
#define HOST_MEMORY_HISTORY_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "base/error.h"

/* How much of its heap each guest really used, over time: a histogram whose weights halve with age,
 * so that what counts is the last while, and no list of samples grows. */

/* Four buckets to each doubling, from 1 MiB to 64 GiB: at most 19 % between neighbours. */
enum { HISTORY_BUCKETS = 65 };
#define HISTORY_MOST (UINT64_C(64) << 30)

struct history_guest {
	char *name;
	time_t updated;
	uint64_t last, peak; /* bytes */
	double weights[HISTORY_BUCKETS]; /* seconds, decayed */
};

struct history {
	struct history_guest *guests;
	size_t count;
};

/* Reads the file, scfg; absent is empty. -1 with the reason. */
int history_load(struct history *history, const char *path, struct error *error);
int history_save(const struct history *history, const char *path, struct error *error);
void history_finish(struct history *history);

/* The seconds of a report that does not say them: those since the last one. */
enum { HISTORY_SINCE_LAST = -1 };

/* For so many seconds before `now` the guest has used at most `bytes`. No more of them count than
 * have passed since the last report, so that reports add up to no more than the time there was, and
 * an hour at most; of the first report without seconds a minute counts. Weights halve in
 * `half_life` seconds. A report from before the last one counts as one at the same time. */
void history_add(struct history *history, const char *name, uint64_t bytes, long seconds,
	time_t now, unsigned half_life);
/* Adds a report of this moment to the file, whoever else does so at the same time. -1 with the
 * reason. */
int history_record(const char *path, const char *guest, uint64_t bytes, long seconds,
	unsigned half_life, struct error *error);
/* NULL when nothing was reported. */
const struct history_guest *history_find(const struct history *history, const char *name);
/* What the guest used at most during this share of the time (1 to 100 percent), rounded up to the
 * bucket's bound but never above the peak. 0 when nothing was reported. */
uint64_t history_percentile(const struct history_guest *guest, unsigned percent);

#endif
