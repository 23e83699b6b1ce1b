#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/size.h"
#include "memory/history.h"
#include "memory/memory_plan.h"
#include "memory/scheme.h"
#include "tree/memory.h"

static const uint64_t mib = 1024 * 1024, gib = 1024 * 1024 * 1024;

enum { DAY = 24 * 3600, WEEK = 7 * DAY };

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

static void a_percentile_covers_the_use_for_that_share_of_the_time(void **state) {
	struct history history = {0};
	time_t now = 1700000000;
	/* Of a hundred minutes, ninety at 100 MiB and ten at 700 MiB. */
	for (int i = 0; i < 100; i++) {
		history_add(&history, "web", i % 10 == 9 ? 700 * mib : 100 * mib,
			HISTORY_SINCE_LAST, now, WEEK);
		now += 60;
	}
	const struct history_guest *guest = history_find(&history, "web");
	uint64_t usual = history_percentile(guest, 85), high = history_percentile(guest, 95);
	assert_uint_in_range(usual, 100 * mib, 119 * mib);
	assert_uint_in_range(high, 700 * mib, 833 * mib);
	assert_int_equal(guest->peak, 700 * mib);
	assert_null(history_find(&history, "mail"));
	history_finish(&history);
}

static void what_was_long_ago_fades(void **state) {
	struct history history = {0};
	time_t now = 1700000000;
	for (int i = 0; i < 600; i++) {
		history_add(&history, "web", gib, HISTORY_SINCE_LAST, now += 60, DAY);
	}
	now += 20 * DAY;
	for (int i = 0; i < 60; i++) {
		history_add(&history, "web", 10 * mib, HISTORY_SINCE_LAST, now += 60, DAY);
	}
	const struct history_guest *guest = history_find(&history, "web");
	assert_uint_in_range(history_percentile(guest, 95), 10 * mib, 12 * mib);
	assert_int_equal(guest->peak, gib);
	/* A clock that was set back neither revives nor erases anything. */
	history_add(&history, "web", 10 * mib, HISTORY_SINCE_LAST, now - 100 * DAY, DAY);
	assert_uint_in_range(history_percentile(guest, 95), 10 * mib, 12 * mib);
	assert_int_equal(guest->updated, now);
	history_finish(&history);
}

static void a_history_survives_its_file(void **state) {
	char path[] = "/tmp/host-history-XXXXXX";
	close(mkstemp(path));
	struct history history = {0}, again;
	struct error error = {""};
	for (int i = 0; i < 500; i++) {
		history_add(&history, "web", (uint64_t)i * 7 * mib, HISTORY_SINCE_LAST,
			1700000000 + i * 60, WEEK);
		history_add(&history, "mail box", (uint64_t)i * 1000, HISTORY_SINCE_LAST,
			1700000000 + i * 60, WEEK);
	}
	assert_int_equal(history_save(&history, path, &error), 0);
	assert_int_equal(history_load(&again, path, &error), 0);
	assert_int_equal(again.count, 2);
	for (unsigned percent = 1; percent <= 100; percent++) {
		for (size_t i = 0; i < 2; i++) {
			assert_int_equal(history_percentile(&again.guests[i], percent),
				history_percentile(&history.guests[i], percent));
		}
	}
	history_finish(&again);
	history_finish(&history);
	static const char *const corrupt[] = {
		"guest a {\n weight 65 1\n}\n",
		"guest a {\n weight 1 nan\n}\n",
		"guest a {\n weight 1 -1\n}\n",
		"guest a {\n peak many\n}\n",
		"guest a {\n}\nguest a {\n}\n",
		"ghost a {\n}\n",
		"guest a {\n",
	};
	for (size_t i = 0; i < sizeof(corrupt) / sizeof(corrupt[0]); i++) {
		FILE *file = fopen(path, "w");
		fputs(corrupt[i], file);
		fclose(file);
		assert_int_equal(history_load(&history, path, &error), -1);
		assert_non_null(strstr(error.text, path));
	}
	unlink(path);
	assert_int_equal(history_load(&history, path, &error), 0);
	assert_int_equal(history.count, 0);
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
				.heap_least = numbers[4 * i + 1] % (256 * mib) + 1,
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

static void a_report_stands_for_the_time_since_the_last_one(void **state) {
	struct history history = {0};
	time_t now = 1700000000;
	history_add(&history, "web", 100 * mib, HISTORY_SINCE_LAST, now, WEEK);
	history_add(&history, "web", 100 * mib, HISTORY_SINCE_LAST, now += 1800, WEEK);
	/* A thousand at once are no more than one. */
	for (int i = 0; i < 1000; i++) {
		history_add(&history, "web", gib, HISTORY_SINCE_LAST, now, WEEK);
	}
	assert_uint_in_range(
		history_percentile(history_find(&history, "web"), 99), 100 * mib, 119 * mib);
	/* Of a week of silence an hour counts. */
	history_add(&history, "web", 500 * mib, HISTORY_SINCE_LAST, now += WEEK, WEEK);
	assert_uint_in_range(
		history_percentile(history_find(&history, "web"), 20), 100 * mib, 119 * mib);
	assert_uint_in_range(
		history_percentile(history_find(&history, "web"), 50), 500 * mib, 595 * mib);
	history_finish(&history);
	/* A session of five minutes after a night is five minutes. */
	history_add(&history, "mail", 100 * mib, 1800, now, WEEK);
	history_add(&history, "mail", gib, 300, now + DAY / 2, WEEK);
	assert_uint_in_range(
		history_percentile(history_find(&history, "mail"), 80), 100 * mib, 119 * mib);
	history_finish(&history);
}

static void reports_at_the_same_time_are_all_kept(void **state) {
	enum { REPORTERS = 8, REPORTS = 10 };
	char directory[] = "/tmp/host-record-XXXXXX", path[64], lock[72];
	struct error error = {""};
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/use.scfg", directory);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	for (int i = 0; i < REPORTERS; i++) {
		if (fork() == 0) {
			char name[16];
			int status = 0;
			for (int k = 0; k < REPORTS && status == 0; k++) {
				snprintf(name, sizeof(name), "g%d-%d", i, k);
				status = history_record(path, name, 7 * mib, 60, WEEK, &error);
			}
			_exit(status == 0 ? 0 : 1);
		}
	}
	for (int i = 0; i < REPORTERS; i++) {
		int status;
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	struct history history;
	assert_int_equal(history_load(&history, path, &error), 0);
	assert_int_equal(history.count, REPORTERS * REPORTS);
	history_finish(&history);
	unlink(path);
	unlink(lock);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(history_record(path, "web", mib, 60, WEEK, &error), -1);
	assert_non_null(strstr(error.text, "use.scfg.lock: No such file"));
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

/* 64 GiB, half of it in pages of 2 MiB, and eight pages of 1 GiB. */
static const struct memory_host paged = {
	.total = 64 * (UINT64_C(1) << 30),
	.page = 2 << 20,
	.pools = {{2 << 20, UINT64_C(32) << 30, 0}, {1 << 30, UINT64_C(8) << 30, 0}},
	.pools_count = 2,
};

static void huge_pages_are_no_part_of_the_budget(void **state) {
	const struct memory_settings settings = {.reserve = 4 * gib};
	const struct memory_settings more = {.reserve = 4 * gib, .budget = 21 * gib};
	struct scheme_running running[] = {
		{.name = "work", .memory = 16 * gib, .heap = gib, .page = MEMORY_PAGE_DEFAULT},
		{.name = "fox", .memory = 3 * gib},
	};
	struct scheme_start start = {.name = "mail", .memory = 16 * gib};
	struct error error = {""};
	/* Of the 24 that are in no pool the host keeps 4. */
	assert_int_equal(scheme_check_start(&settings, &paged, running, 2, &start, &error), 0);
	start.heaps = mib;
	assert_int_equal(scheme_check_start(&settings, &paged, running, 2, &start, &error), -1);
	assert_string_equal(error.text,
		"4 GiB of the budget of 20 GiB is taken by fox (3 GiB), work (1 GiB): mail needs "
		"16 GiB with its heaps, which is 1 MiB more than the 16 GiB of the budget that are "
		"left: stop others first, or give it less");
	/* In pages of 2 MiB it is their pool that counts, and the budget for its heaps. */
	start.page = 2 * mib;
	assert_int_equal(scheme_check_start(&settings, &paged, running, 2, &start, &error), 0);
	start.memory += 2 * mib;
	assert_int_equal(scheme_check_start(&settings, &paged, running, 2, &start, &error), -1);
	assert_string_equal(error.text,
		"16 GiB of the 32 GiB in huge pages of 2 MiB is taken by work (16 GiB): mail needs "
		"16 GiB in huge pages of 2 MiB, which is 2 MiB more than the 16 GiB of them that "
		"are "
		"left: stop others first, or set more aside (portal-host setup --hugepages)");
	start.page = gib;
	assert_int_equal(scheme_check_start(&settings, &paged, running, 2, &start, &error), -1);
	assert_non_null(strstr(error.text, "in huge pages of 1 GiB"));
	assert_null(strstr(error.text, "taken by"));
	start.memory = 8 * gib;
	start.heaps = 17 * gib;
	assert_int_equal(scheme_check_start(&settings, &paged, running, 2, &start, &error), -1);
	assert_non_null(strstr(error.text, "mail needs 17 GiB for its heaps"));
	start.page = 16 * gib;
	assert_int_equal(scheme_check_start(&settings, &paged, running, 2, &start, &error), -1);
	assert_non_null(strstr(error.text, "the host has none of 16 GiB"));
	assert_int_equal(scheme_check_start(&more, &paged, running, 2, &start, &error), -1);
	assert_string_equal(error.text,
		"the budget is more than the machine has beside the host's reserve and its huge "
		"pages (40 GiB)");
}

/* Whoever is let in, in whatever order: together they have no more than there is, and nobody is
 * refused for whom there was room. */
static void no_start_takes_what_another_has(void **state) {
	const struct memory_settings settings = {.reserve = 4 * gib};
	const uint64_t pages[] = {0, MEMORY_PAGE_DEFAULT, 2 * mib, gib}, budget = 20 * gib;
	srand(11);
	for (int round = 0; round < 300; round++) {
		struct scheme_running running[40] = {0};
		uint64_t ordinary = 0, pools[2] = {0};
		size_t count = 0;
		for (int i = 0; i < 40; i++) {
			const struct scheme_start start = {.name = "vm",
				.memory = (uint64_t)(rand() % 8192) * mib,
				.heaps = (uint64_t)(rand() % 2048) * mib,
				.page = pages[rand() % 4]};
			uint64_t *pool = start.page == 0     ? NULL
					 : start.page == gib ? &pools[1]
							     : &pools[0];
			uint64_t most = pool == &pools[1] ? 8 * gib : 32 * gib;
			uint64_t more = start.heaps + (pool ? 0 : start.memory);
			bool fits = ordinary + more <= budget &&
				    (!pool || *pool + start.memory <= most);
			struct error error;
			assert_int_equal(scheme_check_start(
						 &settings, &paged, running, count, &start, &error),
				fits ? 0 : -1);
			if (fits) {
				running[count++] = (struct scheme_running){
					"vm", start.memory, start.heaps, start.page};
				ordinary += more;
				if (pool) {
					*pool += start.memory;
				}
			}
		}
	}
}

static void a_guest_in_huge_pages_has_its_heap_from_the_budget(void **state) {
	struct memory_guest guests[] = {{(char *)"web", 4 * gib, 64 * mib, gib}};
	const struct memory_settings settings = {.reserve = 4 * gib,
		.percentile = 95,
		.headroom = 25,
		.half_life = WEEK,
		.guests = guests,
		.guests_count = 1};
	const struct history history = {0};
	struct scheme_running running[] = {{.name = "fox", .memory = 20 * gib - 64 * mib}};
	struct scheme_start start = {.name = "web", .memory = 32 * gib, .page = 2 * mib};
	struct error error = {""};
	uint64_t heap;
	char *reason;
	assert_int_equal(scheme_plan_start(&settings, &history, &paged, running, 1, &start, &heap,
				 &reason, &error),
		0);
	assert_int_equal(heap, 64 * mib);
	free(reason);
	start.memory += 2 * mib;
	assert_int_equal(scheme_plan_start(&settings, &history, &paged, running, 1, &start, &heap,
				 &reason, &error),
		-1);
	assert_non_null(strstr(error.text, "2 MiB more than the 32 GiB of them that are left"));
	assert_null(strstr(error.text, "budget"));
	start.memory = gib;
	running[0].memory += mib;
	assert_int_equal(scheme_plan_start(&settings, &history, &paged, running, 1, &start, &heap,
				 &reason, &error),
		-1);
	assert_non_null(strstr(error.text, "need 64 MiB with their least heaps"));
}

static void the_host_says_which_pages_it_has(void **state) {
	static const char meminfo[] = "MemTotal: 65536000 kB\nHugepagesize:    2048 kB\n";
	struct memory_tree *tree = memory_tree_create();
	struct memory_host host;
	memory_tree_put_file(tree, "/proc/meminfo", meminfo, strlen(meminfo));
	memory_host_read(&host, memory_tree_base(tree));
	assert_int_equal(host.total, UINT64_C(65536000) << 10);
	assert_int_equal(memory_host_find(&host, MEMORY_PAGE_DEFAULT), -1);
	const char *small = "/sys/kernel/mm/hugepages/hugepages-2048kB";
	const char *files[] = {"nr_hugepages", "free_hugepages", "resv_hugepages"};
	const char *texts[] = {"100\n", "40\n", "10\n"};
	for (size_t i = 0; i < 3; i++) {
		char path[128];
		snprintf(path, sizeof(path), "%s/%s", small, files[i]);
		memory_tree_put_file(tree, path, texts[i], strlen(texts[i]));
	}
	memory_host_read(&host, memory_tree_base(tree));
	assert_int_equal(memory_host_pooled(&host), 200 * mib);
	assert_int_equal(memory_host_find(&host, MEMORY_PAGE_DEFAULT), 0);
	assert_int_equal(memory_host_find(&host, 2 * mib), 0);
	assert_int_equal(memory_host_find(&host, gib), -1);
	assert_int_equal(host.pools[0].free, 60 * mib); /* ten are promised */
	tree_destroy(memory_tree_base(tree));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read_and_written),
		cmocka_unit_test(a_percentile_covers_the_use_for_that_share_of_the_time),
		cmocka_unit_test(what_was_long_ago_fades),
		cmocka_unit_test(a_history_survives_its_file),
		cmocka_unit_test(heaps_follow_use_within_their_limits),
		cmocka_unit_test(a_short_budget_shrinks_what_is_above_the_least_alike),
		cmocka_unit_test(what_does_not_fit_is_refused_with_both_sums),
		cmocka_unit_test(no_plan_ever_exceeds_its_budget),
		cmocka_unit_test(a_report_stands_for_the_time_since_the_last_one),
		cmocka_unit_test(reports_at_the_same_time_are_all_kept),
		cmocka_unit_test(a_guest_starts_with_what_those_that_run_have_left),
		cmocka_unit_test(what_does_not_fit_is_refused_with_who_has_the_rest),
		cmocka_unit_test(huge_pages_are_no_part_of_the_budget),
		cmocka_unit_test(no_start_takes_what_another_has),
		cmocka_unit_test(a_guest_in_huge_pages_has_its_heap_from_the_budget),
		cmocka_unit_test(the_host_says_which_pages_it_has),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
