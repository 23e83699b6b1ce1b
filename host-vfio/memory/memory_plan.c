#include "memory/memory_plan.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/size.h"

static uint64_t align_up(uint64_t size) {
	uint64_t rest = size % MEMORY_PLAN_ALIGNMENT;
	return rest ? size - rest + MEMORY_PLAN_ALIGNMENT : size;
}

static uint64_t align_down(uint64_t size) {
	return size - size % MEMORY_PLAN_ALIGNMENT;
}

static uint64_t least_of(const struct memory_demand *demand) {
	return align_up(demand->heap_least);
}

/* What the guest itself takes of the budget. */
static uint64_t own_of(const struct memory_demand *demand) {
	return demand->page ? 0 : demand->memory;
}

/* What the heap should have if there were memory for all. */
static uint64_t wish_of(const struct memory_demand *demand, unsigned headroom) {
	uint64_t least = least_of(demand), most = align_down(demand->heap_most);
	if (demand->used > most) {
		return most;
	}
	uint64_t wish = align_up(demand->used + demand->used / 100 * headroom);
	return wish < least ? least : wish > most ? most : wish;
}

bool memory_plan_has_sizes(uint64_t least, uint64_t most) {
	return least >= MEMORY_PLAN_LEAST && align_down(most) >= least &&
	       align_down(most) >= align_up(least);
}

/* All sums below stay far from 2^64 because no summand is above this. */
static const uint64_t far_too_much = (uint64_t)1 << 50;

static int check(const struct memory_demand *demand, struct error *error) {
	if (demand->memory > far_too_much || demand->heap_most > far_too_much) {
		return error_set(error, "%s: no machine has that much memory", demand->name);
	}
	if (!memory_plan_has_sizes(demand->heap_least, demand->heap_most)) {
		return error_set(error,
			"%s: the heap's limits leave no size in between (they are rounded to "
			"2 MiB, and none is below 6 MiB)",
			demand->name);
	}
	return 0;
}

static int refuse(uint64_t needed, uint64_t budget, struct error *error) {
	char needed_text[SIZE_TEXT], budget_text[SIZE_TEXT], more_text[SIZE_TEXT];
	size_format(needed, needed_text);
	size_format(budget, budget_text);
	size_format(needed - budget, more_text);
	return error_set(error,
		"these guests need %s with their least heaps, which is %s more than the budget of "
		"%s: start fewer, or give them less",
		needed_text, more_text, budget_text);
}

static char *reason_of(
	const struct memory_demand *demand, uint64_t heap, uint64_t wish, unsigned headroom) {
	char used[SIZE_TEXT], wished[SIZE_TEXT];
	size_format(demand->used, used);
	size_format(wish, wished);
	if (demand->used == 0) {
		return must_copy("no use was reported yet: the least size");
	}
	if (heap < wish) {
		return must_print(
			"it uses %s and should have %s, but the budget is short", used, wished);
	}
	if (heap == least_of(demand)) {
		return must_print("it uses %s: the least size is enough", used);
	}
	if (heap == align_down(demand->heap_most)) {
		return must_print("it uses %s: as much as it may have", used);
	}
	return must_print("it uses %s, and %u %% are added", used, headroom);
}

int memory_plan_init(struct memory_plan *plan, uint64_t budget, const struct memory_demand *demands,
	size_t count, unsigned headroom, struct error *error) {
	uint64_t least = 0, extra = 0;
	*plan = (struct memory_plan){0};
	for (size_t i = 0; i < count; i++) {
		if (check(&demands[i], error) < 0) {
			return -1;
		}
		least += own_of(&demands[i]) + least_of(&demands[i]);
		extra += wish_of(&demands[i], headroom) - least_of(&demands[i]);
	}
	if (least > budget) {
		return refuse(least, budget, error);
	}
	uint64_t spare = budget - least;
	double scale = extra > spare ? (double)spare / (double)extra : 1;
	plan->shares = must_alloc(count, sizeof(*plan->shares));
	plan->count = count;
	for (size_t i = 0; i < count; i++) {
		uint64_t wish = wish_of(&demands[i], headroom), floor = least_of(&demands[i]);
		uint64_t heap = wish;
		if (extra > spare) {
			/* The division's last bit must not exceed the budget. */
			heap = floor + align_down((uint64_t)((double)(wish - floor) * scale));
			uint64_t left = budget - least;
			heap = heap - floor > left ? floor + align_down(left) : heap;
		}
		least += heap - floor;
		plan->shares[i].heap = heap;
		plan->shares[i].reason = reason_of(&demands[i], heap, wish, headroom);
		plan->total += own_of(&demands[i]) + heap;
	}
	return 0;
}

void memory_plan_finish(struct memory_plan *plan) {
	for (size_t i = 0; i < plan->count; i++) {
		free(plan->shares[i].reason);
	}
	free(plan->shares);
	*plan = (struct memory_plan){0};
}
