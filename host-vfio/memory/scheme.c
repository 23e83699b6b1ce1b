#include "memory/scheme.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/size.h"

/* What a guest that runs has of the budget. */
static uint64_t taken_by(
	const struct memory_settings *settings, const struct scheme_running *running) {
	const struct memory_guest *guest =
		running->guest ? memory_settings_find(settings, running->guest) : NULL;
	uint64_t memory = running->memory ? running->memory : guest ? guest->memory : 0;
	uint64_t sum;
	return __builtin_add_overflow(memory, running->heap, &sum) ? UINT64_MAX : sum;
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
		if (__builtin_add_overflow(
			    scheme->taken, taken_by(settings, &running[i]), &scheme->taken)) {
			scheme->taken = UINT64_MAX;
		}
	}
	if (scheme->taken > scheme->budget) {
		char taken[SIZE_TEXT], budget[SIZE_TEXT];
		size_format(scheme->taken, taken);
		size_format(scheme->budget, budget);
		return error_set(error,
			"the guests that run have %s, and the budget of all is %s: stop one of "
			"them first",
			taken, budget);
	}
	return 0;
}

void scheme_add(struct scheme *scheme, const struct memory_settings *settings,
	const struct history *history, const struct memory_guest *guest) {
	const struct history_guest *past = history_find(history, guest->name);
	scheme->demands = must_grow(scheme->demands, scheme->count, sizeof(*scheme->demands));
	scheme->demands[scheme->count++] = (struct memory_demand){
		.name = guest->name,
		.memory = guest->memory,
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
	*scheme = (struct scheme){0};
}

int scheme_plan_start(const struct memory_settings *settings, const struct history *history,
	uint64_t total, const struct scheme_running *running, size_t running_count,
	const char *guest, uint64_t *heap, char **reason, struct error *error) {
	const struct memory_guest *known = memory_settings_find(settings, guest);
	struct scheme scheme;
	if (!known) {
		return error_set(error, "the memory plan does not know %s", guest);
	}
	if (scheme_init(&scheme, settings, total, running, running_count, error) < 0) {
		return -1;
	}
	scheme_add(&scheme, settings, history, known);
	int status = scheme_make(&scheme, settings, error);
	if (status == 0) {
		*heap = scheme.plan.shares[0].heap;
		*reason = must_copy(scheme.plan.shares[0].reason);
	} else if (scheme.taken > 0) {
		char taken[SIZE_TEXT];
		size_format(scheme.taken, taken);
		error_prefix(error, "%s of the budget is taken by the guests that run", taken);
	}
	scheme_finish(&scheme);
	return status;
}
