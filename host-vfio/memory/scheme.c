#include "memory/scheme.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/size.h"

/* Those that have most are named; the sentence has to stay one. */
enum { NAMED_MOST = 4 };

static uint64_t add(uint64_t a, uint64_t b) {
	uint64_t sum;
	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

enum { BUDGET = -1 }; /* in place of a pool's index */

/* What it takes of a pool, or of the budget: of that all, where there is no such pool. */
static uint64_t taken_by(
	const struct memory_host *host, const struct scheme_running *running, int pool) {
	int own = running->page ? memory_host_find(host, running->page) : BUDGET;
	if (pool != BUDGET) {
		return own == pool ? running->memory : 0;
	}
	return own == BUDGET ? add(running->memory, running->heap) : running->heap;
}

/* One of those that take something. */
struct taker {
	const char *name;
	uint64_t taken;
};

static int compare_taken(const void *a, const void *b) {
	uint64_t first = ((const struct taker *)a)->taken,
		 second = ((const struct taker *)b)->taken;
	return first < second ? 1 : first > second ? -1 : 0;
}

/* "work (4 GiB), mail (2 GiB) and 2 others (1 GiB)"; the caller's, NULL: nobody. */
static char *name_takers(struct taker *takers, size_t count) {
	char *text = NULL, size[SIZE_TEXT];
	uint64_t rest = 0;
	size_t others = 0;
	qsort(takers, count, sizeof(*takers), compare_taken);
	for (size_t i = 0; i < count && takers[i].taken > 0; i++) {
		if (i >= NAMED_MOST) {
			rest = add(rest, takers[i].taken);
			others++;
			continue;
		}
		char *former = text;
		size_format(takers[i].taken, size);
		text = must_print("%s%s%.40s (%s)", former ? former : "", former ? ", " : "",
			takers[i].name, size);
		free(former);
	}
	if (others > 0) {
		char *former = text;
		size_format(rest, size);
		text = must_print(
			"%s and %zu other%s (%s)", former, others, others > 1 ? "s" : "", size);
		free(former);
	}
	return text;
}

/* What all of them take, and who they are. */
static uint64_t add_up(const struct memory_host *host, const struct scheme_running *running,
	size_t count, int pool, char **holders) {
	struct taker *takers = must_alloc(count + 1, sizeof(*takers));
	uint64_t taken = 0;
	for (size_t i = 0; i < count; i++) {
		takers[i] = (struct taker){running[i].name, taken_by(host, &running[i], pool)};
		taken = add(taken, takers[i].taken);
	}
	*holders = name_takers(takers, count);
	free(takers);
	return taken;
}

static int find_budget(
	struct scheme *scheme, const struct memory_settings *settings, struct error *error) {
	const struct memory_host *host = scheme->host;
	uint64_t pooled = memory_host_pooled(host), kept = add(settings->reserve, pooled);
	char pages[SIZE_TEXT + 32] = "", size[SIZE_TEXT];
	if (pooled > 0) {
		size_format(pooled, size);
		snprintf(pages, sizeof(pages), " and its huge pages (%s)", size);
	}
	if (kept >= host->total) {
		return error_set(error, "the host's reserve%s is all the memory there is", pages);
	}
	scheme->budget = host->total - kept;
	if (settings->budget > scheme->budget) {
		return error_set(error,
			"the budget is more than the machine has beside the host's reserve%s",
			pages);
	}
	scheme->budget = settings->budget ? settings->budget : scheme->budget;
	return 0;
}

int scheme_init(struct scheme *scheme, const struct memory_settings *settings,
	const struct memory_host *host, const struct scheme_running *running, size_t running_count,
	struct error *error) {
	*scheme = (struct scheme){.host = host};
	for (size_t i = 0; i < host->pools_count; i++) {
		struct scheme_pool *pool = &scheme->pools[i];
		pool->page = host->pools[i].page;
		pool->total = host->pools[i].total;
		pool->taken = add_up(host, running, running_count, (int)i, &pool->holders);
	}
	scheme->taken = add_up(host, running, running_count, BUDGET, &scheme->holders);
	if (find_budget(scheme, settings, error) < 0) {
		return -1;
	}
	if (scheme->taken > scheme->budget) {
		char taken[SIZE_TEXT], budget[SIZE_TEXT];
		size_format(scheme->taken, taken);
		size_format(scheme->budget, budget);
		return error_set(error,
			"%s is taken by %s, and the budget of all is %s: stop one of them first",
			taken, scheme->holders, budget);
	}
	return 0;
}

void scheme_add(struct scheme *scheme, const struct memory_settings *settings,
	const struct history *history, const struct memory_guest *guest, uint64_t memory,
	uint64_t page) {
	const struct history_guest *past = history_find(history, guest->name);
	scheme->demands = must_grow(scheme->demands, scheme->count, sizeof(*scheme->demands));
	scheme->demands[scheme->count++] = (struct memory_demand){
		.name = guest->name,
		.memory = memory ? memory : guest->memory,
		.page = memory ? page : 0,
		.heap_least = guest->heap_least,
		.heap_most = guest->heap_most,
		.used = past ? history_percentile(past, settings->percentile) : 0,
	};
}

static uint64_t left_in(const struct scheme_pool *pool) {
	uint64_t used = add(pool->taken, pool->planned);
	return used < pool->total ? pool->total - used : 0;
}

/* A pool is short, and the budget is not. -1. */
static int refuse_pages(
	const struct scheme_pool *pool, const char *name, uint64_t memory, struct error *error) {
	char needed[SIZE_TEXT], page[SIZE_TEXT], left[SIZE_TEXT], more[SIZE_TEXT];
	size_format(memory, needed);
	size_format(pool->page, page);
	size_format(left_in(pool), left);
	size_format(memory - left_in(pool), more);
	error_set(error,
		"%.80s needs %s in huge pages of %s, which is %s more than the %s of them that are "
		"left: stop others first, or set more aside (portal-host setup --hugepages)",
		name, needed, page, more, left);
	if (pool->taken > 0) {
		char taken[SIZE_TEXT], total[SIZE_TEXT];
		size_format(pool->taken, taken);
		size_format(pool->total, total);
		error_prefix(error, "%s of the %s in huge pages of %s is taken by %s", taken, total,
			page, pool->holders);
	}
	return -1;
}

/* Takes memory out of the pool for its pages, where it is in any. -1 with the reason. */
static int take_pages(struct scheme *scheme, const char *name, uint64_t memory, uint64_t page,
	struct error *error) {
	int index = page ? memory_host_find(scheme->host, page) : BUDGET;
	if (page && index < 0) {
		char size[SIZE_TEXT] = "that size";
		if (page != MEMORY_PAGE_DEFAULT) {
			size_format(page, size);
		}
		return error_set(error,
			"%.80s wants huge pages, and the host has none of %s: portal-host setup "
			"--hugepages sets some aside",
			name, size);
	}
	if (index == BUDGET) {
		return 0;
	}
	struct scheme_pool *pool = &scheme->pools[index];
	if (memory > left_in(pool)) {
		return refuse_pages(pool, name, memory, error);
	}
	pool->planned += memory;
	return 0;
}

static int plan_pages(struct scheme *scheme, struct error *error) {
	for (size_t i = 0; i < MEMORY_POOLS; i++) {
		scheme->pools[i].planned = 0;
	}
	for (size_t i = 0; i < scheme->count; i++) {
		const struct memory_demand *demand = &scheme->demands[i];
		if (take_pages(scheme, demand->name, demand->memory, demand->page, error) < 0) {
			return -1;
		}
	}
	return 0;
}

static int plan_budget(
	struct scheme *scheme, const struct memory_settings *settings, struct error *error) {
	memory_plan_finish(&scheme->plan);
	return memory_plan_init(&scheme->plan, scheme->budget - scheme->taken, scheme->demands,
		scheme->count, settings->headroom, error);
}

int scheme_make(
	struct scheme *scheme, const struct memory_settings *settings, struct error *error) {
	if (plan_pages(scheme, error) < 0) {
		return -1;
	}
	int status = plan_budget(scheme, settings, error);
	return status < 0 && scheme->holders ? error_prefix(error, "beside %s", scheme->holders)
					     : status;
}

void scheme_finish(struct scheme *scheme) {
	memory_plan_finish(&scheme->plan);
	free(scheme->demands);
	free(scheme->holders);
	for (size_t i = 0; i < MEMORY_POOLS; i++) {
		free(scheme->pools[i].holders);
	}
	*scheme = (struct scheme){0};
}

/* What keeps it from starting is who has the rest. -1. */
static int name_taken(const struct scheme *scheme, struct error *error) {
	if (scheme->taken > 0) {
		char taken[SIZE_TEXT], budget[SIZE_TEXT];
		size_format(scheme->taken, taken);
		size_format(scheme->budget, budget);
		error_prefix(error, "%s of the budget of %s is taken by %s", taken, budget,
			scheme->holders);
	}
	return -1;
}

int scheme_plan_start(const struct memory_settings *settings, const struct history *history,
	const struct memory_host *host, const struct scheme_running *running, size_t running_count,
	const struct scheme_start *start, uint64_t *heap, char **reason, struct error *error) {
	const struct memory_guest *known = memory_settings_find(settings, start->name);
	struct scheme scheme;
	if (!known) {
		return error_set(error, "the memory plan does not know %s", start->name);
	}
	int status = scheme_init(&scheme, settings, host, running, running_count, error);
	if (status == 0) {
		scheme_add(&scheme, settings, history, known, start->memory, start->page);
		status = plan_pages(&scheme, error);
	}
	if (status == 0 && plan_budget(&scheme, settings, error) < 0) {
		status = name_taken(&scheme, error);
	}
	if (status == 0) {
		*heap = scheme.plan.shares[0].heap;
		*reason = must_copy(scheme.plan.shares[0].reason);
	}
	scheme_finish(&scheme);
	return status;
}

static int take_budget(
	const struct scheme *scheme, const struct scheme_start *start, struct error *error) {
	uint64_t wanted = start->page ? start->heaps : add(start->memory, start->heaps);
	uint64_t there = scheme->budget - scheme->taken;
	char needed[SIZE_TEXT], more[SIZE_TEXT], left[SIZE_TEXT];
	if (wanted <= there) {
		return 0;
	}
	size_format(wanted, needed);
	size_format(wanted - there, more);
	size_format(there, left);
	error_set(error,
		"%.80s needs %s %s its heaps, which is %s more than the %s of the budget that are "
		"left: stop others first, or give it less",
		start->name, needed, start->page ? "for" : "with", more, left);
	return name_taken(scheme, error);
}

int scheme_check_start(const struct memory_settings *settings, const struct memory_host *host,
	const struct scheme_running *running, size_t running_count,
	const struct scheme_start *start, struct error *error) {
	struct scheme scheme;
	int status = scheme_init(&scheme, settings, host, running, running_count, error);
	if (status == 0) {
		status = take_pages(&scheme, start->name, start->memory, start->page, error);
	}
	if (status == 0) {
		status = take_budget(&scheme, start, error);
	}
	scheme_finish(&scheme);
	return status;
}
