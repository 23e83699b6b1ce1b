#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memory/history.h"
#include "memory/scheme.h"
#include "tree/memory.h"

static const uint64_t mib = 1024 * 1024, gib = 1024 * 1024 * 1024;

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
		.half_life = 7 * 24 * 3600,
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
		cmocka_unit_test(huge_pages_are_no_part_of_the_budget),
		cmocka_unit_test(no_start_takes_what_another_has),
		cmocka_unit_test(a_guest_in_huge_pages_has_its_heap_from_the_budget),
		cmocka_unit_test(the_host_says_which_pages_it_has),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
