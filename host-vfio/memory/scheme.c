#include "memory/scheme.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/size.h"

/* Those that have most are named; the sentence has to stay one. */
enum { NAMED_MOST = 4 };

static uint64_t add(uint64_t a, uint64_t b) {
	uint64_t sum;
	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t taken_by(const struct scheme_running *running) {
	return add(running->memory, running->heap);
}

static int compare_taken(const void *a, const void *b) {
	uint64_t first = taken_by(a), second = taken_by(b);
	return first < second ? 1 : first > second ? -1 : 0;
}

/* "work (4 GiB), mail (2 GiB) and 2 others (1 GiB)"; the caller's, NULL: nobody. */
static char *name_holders(const struct scheme_running *running, size_t count) {
	struct scheme_running *sorted = must_alloc(count + 1, sizeof(*sorted));
	char *text = NULL, size[SIZE_TEXT];
	uint64_t rest = 0;
	size_t others = 0;
	for (size_t i = 0; i < count; i++) {
		sorted[i] = running[i];
	}
	qsort(sorted, count, sizeof(*sorted), compare_taken);
	for (size_t i = 0; i < count && taken_by(&sorted[i]) > 0; i++) {
		if (i >= NAMED_MOST) {
			rest = add(rest, taken_by(&sorted[i]));
			others++;
			continue;
		}
		char *former = text;
		size_format(taken_by(&sorted[i]), size);
		text = must_print("%s%s%.40s (%s)", former ? former : "", former ? ", " : "",
			sorted[i].name, size);
		free(former);
	}
	if (others > 0) {
		char *former = text;
		size_format(rest, size);
		text = must_print(
			"%s and %zu other%s (%s)", former, others, others > 1 ? "s" : "", size);
		free(former);
	}
	free(sorted);
	return text;
}

int scheme_init(struct scheme *scheme, const struct memory_settings *settings, uint64_t total,
	const struct scheme_running *running, size_t running_count, struct error *error) {
	*scheme = (struct scheme){0};
	if (settings->reserve >= total) {
		return error_set(error, "the host's reserve is all the memory there is");
	}
	scheme->budget = total - settings->reserve;
	if (settings->budget > scheme->budget) {
		return error_set(
			error, "the budget is more than the machine has beside the host's reserve");
	}
	scheme->budget = settings->budget ? settings->budget : scheme->budget;
	for (size_t i = 0; i < running_count; i++) {
		scheme->taken = add(scheme->taken, taken_by(&running[i]));
	}
	scheme->holders = name_holders(running, running_count);
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
	const struct history *history, const struct memory_guest *guest, uint64_t memory) {
	const struct history_guest *past = history_find(history, guest->name);
	scheme->demands = must_grow(scheme->demands, scheme->count, sizeof(*scheme->demands));
	scheme->demands[scheme->count++] = (struct memory_demand){
		.name = guest->name,
		.memory = memory ? memory : guest->memory,
		.heap_least = guest->heap_least,
		.heap_most = guest->heap_most,
		.used = past ? history_percentile(past, settings->percentile) : 0,
	};
}

int scheme_make(
	struct scheme *scheme, const struct memory_settings *settings, struct error *error) {
	memory_plan_finish(&scheme->plan);
	return memory_plan_init(&scheme->plan, scheme->budget - scheme->taken, scheme->demands,
		scheme->count, settings->headroom, error);
}

void scheme_finish(struct scheme *scheme) {
	memory_plan_finish(&scheme->plan);
	free(scheme->demands);
	free(scheme->holders);
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
	uint64_t total, const struct scheme_running *running, size_t running_count,
	const struct scheme_start *start, uint64_t *heap, char **reason, struct error *error) {
	const struct memory_guest *known = memory_settings_find(settings, start->name);
	struct scheme scheme;
	if (!known) {
		return error_set(error, "the memory plan does not know %s", start->name);
	}
	int status = scheme_init(&scheme, settings, total, running, running_count, error);
	if (status == 0) {
		scheme_add(&scheme, settings, history, known, start->memory);
		status = scheme_make(&scheme, settings, error);
		if (status == 0) {
			*heap = scheme.plan.shares[0].heap;
			*reason = must_copy(scheme.plan.shares[0].reason);
		} else {
			status = name_taken(&scheme, error);
		}
	}
	scheme_finish(&scheme);
	return status;
}

int scheme_check_start(const struct memory_settings *settings, uint64_t total,
	const struct scheme_running *running, size_t running_count,
	const struct scheme_start *start, struct error *error) {
	struct scheme scheme;
	int status = scheme_init(&scheme, settings, total, running, running_count, error);
	if (status == 0 && start->memory > scheme.budget - scheme.taken) {
		char needed[SIZE_TEXT], more[SIZE_TEXT], left[SIZE_TEXT];
		size_format(start->memory, needed);
		size_format(start->memory - (scheme.budget - scheme.taken), more);
		size_format(scheme.budget - scheme.taken, left);
		error_set(error,
			"%.80s needs %s with its heaps, which is %s more than the %s of the budget "
			"that are left: stop others first, or give it less",
			start->name, needed, more, left);
		status = name_taken(&scheme, error);
	}
	scheme_finish(&scheme);
	return status;
}
