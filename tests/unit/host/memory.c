#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/size.h"
#include "memory/history.h"
#include "memory/memory_plan.h"
#include "memory/scheme.h"

static const uint64_t mib = 1024 * 1024, gib = 1024 * 1024 * 1024;

enum { WEEK = 7 * 24 * 3600 };

static void sizes_are_read_and_written(void **state) {
	uint64_t size;
	assert_true(size_parse("4G", &size) && size == 4 * gib);
	assert_true(size_parse("0", &size) && size == 0);
	assert_true(size_parse("18446744073709551615", &size) && size == UINT64_MAX);
	static const char *const wrong[] = {
		"", "G", "-1", "4GB", "4g", "1.5G", " 1", "18446744073709551616", "16777216T"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (size_parse(wrong[i], &size)) {
			fail_msg("taken for a size: \"%s\"", wrong[i]);
		}
	}
	char text[SIZE_TEXT];
	size_format(1536 * mib, text);
	assert_string_equal(text, "1.5 GiB");
	size_format(gib + 1, text);
	assert_string_equal(text, "1 GiB");
	size_format(UINT64_MAX, text);
	assert_non_null(strstr(text, "TiB"));
}

static void heaps_follow_use_within_their_limits(void **state) {
	const struct memory_demand demands[] = {
		{"fresh", 2 * gib, 64 * mib, gib, 0},
		{"idle", 2 * gib, 64 * mib, gib, 10 * mib},
		{"busy", 2 * gib, 64 * mib, gib, 400 * mib},
		{"greedy", 2 * gib, 64 * mib, gib, 3 * gib},
	};
	struct memory_plan plan;
	struct error error;
	assert_int_equal(memory_plan_init(&plan, 12 * gib, demands, 4, 25, &error), 0);
	assert_int_equal(plan.shares[0].heap, 64 * mib);
	assert_non_null(strstr(plan.shares[0].reason, "no use was reported"));
	assert_int_equal(plan.shares[1].heap, 64 * mib);
	assert_int_equal(plan.shares[2].heap, 500 * mib);
	assert_non_null(strstr(plan.shares[2].reason, "25 % are added"));
	assert_int_equal(plan.shares[3].heap, gib);
	assert_int_equal(plan.total, 8 * gib + 64 * mib + 64 * mib + 500 * mib + gib);
	memory_plan_finish(&plan);
}

static void a_short_budget_shrinks_what_is_above_the_least_alike(void **state) {
	const struct memory_demand demands[] = {
		{"a", gib, 100 * mib, gib, 400 * mib}, /* 400 more than the least */
		{"b", gib, 100 * mib, gib, 720 * mib}, /* 800 more */
	};
	struct memory_plan plan;
	struct error error;
	uint64_t budget = 2 * gib + 200 * mib + 600 * mib;
	assert_int_equal(memory_plan_init(&plan, budget, demands, 2, 25, &error), 0);
	assert_int_equal(plan.shares[0].heap, 300 * mib);
	assert_int_equal(plan.shares[1].heap, 500 * mib);
	assert_non_null(strstr(plan.shares[1].reason, "the budget is short"));
	memory_plan_finish(&plan);
}

static void what_does_not_fit_is_refused_with_both_sums(void **state) {
	const struct memory_demand demands[] = {
		{"a", 4 * gib, 512 * mib, gib, 0},
		{"b", 4 * gib, 512 * mib, gib, 0},
	};
	struct memory_plan plan;
	struct error error;
	assert_int_equal(memory_plan_init(&plan, 9 * gib, demands, 2, 25, &error), 0);
	memory_plan_finish(&plan);
	assert_int_equal(memory_plan_init(&plan, 9 * gib - 1, demands, 2, 25, &error), -1);
	assert_non_null(strstr(error.text, "need 9 GiB"));
	assert_null(plan.shares);
	const struct memory_demand odd = {"odd", gib, 5 * mib, 5 * mib, 0};
	assert_int_equal(memory_plan_init(&plan, 9 * gib, &odd, 1, 25, &error), -1);
	assert_non_null(strstr(error.text, "leave no size in between"));
	const struct memory_demand absurd = {"absurd", UINT64_MAX, mib, gib, 0};
	assert_int_equal(memory_plan_init(&plan, 9 * gib, &absurd, 1, 25, &error), -1);
}

/* For any guests and any budget: refused, or within it, within the limits, in whole pieces. */
static void no_plan_ever_exceeds_its_budget(void **state) {
	uint64_t seed = 88172645463325252ULL;
	unsigned planned = 0, refused = 0, scaled = 0;
	for (int round = 0; round < 20000; round++) {
		struct memory_demand demands[8];
		uint64_t numbers[8 * 4 + 2];
		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			numbers[i] = seed;
		}
		size_t count = numbers[32] % 8 + 1;
		for (size_t i = 0; i < count; i++) {
			demands[i] = (struct memory_demand){
				.name = "x",
				.memory = numbers[4 * i] % (8 * gib),
				.heap_least = 6 * mib + numbers[4 * i + 1] % (256 * mib),
				.heap_most = 258 * mib + numbers[4 * i + 2] % (2 * gib),
				.used = numbers[4 * i + 3] % (3 * gib),
			};
		}
		uint64_t budget = numbers[33] % (64 * gib);
		struct memory_plan plan;
		if (memory_plan_init(&plan, budget, demands, count, 25, NULL) < 0) {
			refused++;
			continue;
		}
		planned++;
		uint64_t total = 0;
		for (size_t i = 0; i < count; i++) {
			uint64_t heap = plan.shares[i].heap;
			assert_true(heap >= demands[i].heap_least && heap <= demands[i].heap_most);
			assert_int_equal(heap % MEMORY_PLAN_ALIGNMENT, 0);
			total += demands[i].memory + heap;
			scaled += strstr(plan.shares[i].reason, "short") != NULL;
		}
		assert_int_equal(total, plan.total);
		assert_true(total <= budget);
		memory_plan_finish(&plan);
	}
	/* The rounds were about something. */
	assert_true(planned > 1000 && refused > 1000 && scaled > 100);
}

/* One that has so much memory and no huge pages, until the next. */
static const struct memory_host *host_of(uint64_t total) {
	static struct memory_host host;
	host.total = total;
	return &host;
}

static void a_guest_starts_with_what_those_that_run_have_left(void **state) {
	struct memory_guest guests[] = {
		{(char *)"web", 4 * gib, 64 * mib, gib},
		{(char *)"mail", 2 * gib, 64 * mib, 256 * mib},
	};
	const struct memory_settings settings = {.reserve = 4 * gib,
		.percentile = 95,
		.headroom = 25,
		.half_life = WEEK,
		.guests = guests,
		.guests_count = 2};
	struct history history = {0};
	struct error error = {""};
	uint64_t heap;
	char *reason;
	history_add(&history, "web", 400 * mib, HISTORY_SINCE_LAST, 1700000000, WEEK);
	const struct scheme_start web = {.name = "web"}, ghost = {.name = "ghost"};
	assert_int_equal(scheme_plan_start(&settings, &history, host_of(16 * gib), NULL, 0, &web,
				 &heap, &reason, &error),
		0);
	assert_int_equal(heap, 500 * mib);
	assert_string_equal(reason, "it uses 400 MiB, and 25 % are added");
	free(reason);
	/* mail has its 2 GiB; a stranger has nearly all of the rest. */
	struct scheme_running running[] = {
		{.name = "mail", .memory = 2 * gib, .heap = 128 * mib},
		{.name = "stranger", .memory = 5 * gib + 512 * mib},
	};
	assert_int_equal(scheme_plan_start(&settings, &history, host_of(16 * gib), running, 2, &web,
				 &heap, &reason, &error),
		0);
	assert_int_equal(heap, 384 * mib);
	assert_non_null(strstr(reason, "the budget is short"));
	free(reason);
	running[1].memory += 384 * mib;
	assert_int_equal(scheme_plan_start(&settings, &history, host_of(16 * gib), running, 2, &web,
				 &heap, &reason, &error),
		-1);
	assert_string_equal(error.text,
		"8 GiB of the budget of 12 GiB is taken by stranger (5.8 GiB), mail (2.1 GiB): "
		"these guests need 4 GiB with their least heaps, which is 64 MiB more than the "
		"budget of 4 GiB: start fewer, or give them less");
	/* Its own definition goes before the settings. */
	const struct scheme_start small = {.name = "web", .memory = gib};
	assert_int_equal(scheme_plan_start(&settings, &history, host_of(16 * gib), running, 2,
				 &small, &heap, &reason, &error),
		0);
	assert_int_equal(heap, 500 * mib);
	free(reason);
	running[0].heap = UINT64_MAX; /* nothing wraps around */
	assert_int_equal(scheme_plan_start(&settings, &history, host_of(16 * gib), running, 2, &web,
				 &heap, &reason, &error),
		-1);
	assert_non_null(strstr(error.text, "stop one of them first"));
	assert_int_equal(scheme_plan_start(&settings, &history, host_of(16 * gib), NULL, 0, &ghost,
				 &heap, &reason, &error),
		-1);
	assert_non_null(strstr(error.text, "does not know ghost"));
	assert_int_equal(scheme_plan_start(&settings, &history, host_of(4 * gib), NULL, 0, &web,
				 &heap, &reason, &error),
		-1);
	assert_non_null(strstr(error.text, "reserve is all the memory"));
	history_finish(&history);
}

static void what_does_not_fit_is_refused_with_who_has_the_rest(void **state) {
	const struct memory_settings settings = {.reserve = 4 * gib};
	struct scheme_running running[7] = {0};
	char names[7][8];
	struct error error = {""};
	for (unsigned i = 0; i < 7; i++) {
		snprintf(names[i], sizeof(names[i]), "vm%u", i);
		running[i] = (struct scheme_running){.name = names[i], .memory = (i + 1) * gib};
	}
	struct scheme_start start = {.name = "late", .memory = 4 * gib};
	assert_int_equal(
		scheme_check_start(&settings, host_of(36 * gib), running, 7, &start, &error), 0);
	start.memory += mib;
	assert_int_equal(
		scheme_check_start(&settings, host_of(36 * gib), running, 7, &start, &error), -1);
	assert_string_equal(error.text,
		"28 GiB of the budget of 32 GiB is taken by vm6 (7 GiB), vm5 (6 GiB), vm4 (5 GiB), "
		"vm3 (4 GiB) and 3 others (6 GiB): late needs 4 GiB with its heaps, which is 1 MiB "
		"more than the 4 GiB of the budget that are left: stop others first, or give it "
		"less");
	assert_int_equal(
		scheme_check_start(&settings, host_of(32 * gib), NULL, 0, &start, &error), 0);
	start.memory = 40 * gib;
	assert_int_equal(
		scheme_check_start(&settings, host_of(32 * gib), NULL, 0, &start, &error), -1);
	assert_null(strstr(error.text, "taken by"));
	start.memory = mib;
	assert_int_equal(
		scheme_check_start(&settings, host_of(30 * gib), running, 7, &start, &error), -1);
	assert_non_null(strstr(error.text, "stop one of them first"));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read_and_written),
		cmocka_unit_test(heaps_follow_use_within_their_limits),
		cmocka_unit_test(a_short_budget_shrinks_what_is_above_the_least_alike),
		cmocka_unit_test(what_does_not_fit_is_refused_with_both_sums),
		cmocka_unit_test(no_plan_ever_exceeds_its_budget),
		cmocka_unit_test(a_guest_starts_with_what_those_that_run_have_left),
		cmocka_unit_test(what_does_not_fit_is_refused_with_who_has_the_rest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
