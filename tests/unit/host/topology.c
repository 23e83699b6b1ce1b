/* The host's processors: sets of them, what is one core, what a guest may be pinned to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inventory/topology.h"
#include "tree/memory.h"

static void put(struct memory_tree *tree, const char *path, const char *text) {
	assert_int_equal(memory_tree_put_file(tree, path, text, strlen(text)), 0);
}

/* Eight cores of two threads, core n having the processors n and n + 8, on `nodes` nodes. */
static struct topology make(unsigned nodes) {
	struct memory_tree *tree = memory_tree_create();
	put(tree, "/sys/devices/system/cpu/online", "0-15\n");
	for (unsigned cpu = 0; cpu < 16; cpu++) {
		char path[128], text[32];
		snprintf(path, sizeof(path),
			"/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
		snprintf(text, sizeof(text), "%u,%u\n", cpu % 8, cpu % 8 + 8);
		put(tree, path, text);
	}
	if (nodes == 2) {
		put(tree, "/sys/devices/system/node/online", "0-1\n");
		put(tree, "/sys/devices/system/node/node0/cpulist", "0-3,8-11\n");
		put(tree, "/sys/devices/system/node/node1/cpulist", "4-7,12-15\n");
	}
	struct topology topology;
	struct error error = {0};
	assert_int_equal(topology_read(&topology, memory_tree_base(tree), &error), 0);
	tree_destroy(memory_tree_base(tree));
	return topology;
}

static struct cpuset set_of(const char *text) {
	struct cpuset set;
	assert_true(cpuset_parse(text, &set));
	return set;
}

static void test_sets_are_read_and_written(void **state) {
	static const struct {
		const char *text, *canonical;
	} cases[] = {
		{"", ""},
		{"0", "0"},
		{"0,1,2,8", "0-2,8"},
		{"8,0-2", "0-2,8"},
		{"0-3,^2", "0-1,3"},
		{"63-64", "63-64"},
		{"8191", "8191"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cpuset set = set_of(cases[i].text);
		char *text = cpuset_format(&set);
		assert_string_equal(text, cases[i].canonical);
		free(text);
	}
	static const char *const wrong[] = {"a", "1,", ",1", "3-1", "1-", "-1", "^", "8192", "1 2",
		"0x1", "1-2-3", "99999999999999"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct cpuset set;
		if (cpuset_parse(wrong[i], &set)) {
			fail_msg("\"%s\" was read", wrong[i]);
		}
	}
}

static void test_threads_of_one_core_belong_together(void **state) {
	struct topology topology = make(1);
	assert_int_equal(topology.cores_count, 8);
	assert_int_equal(topology.cores[3].threads_count, 2);
	struct cpuset whole = set_of("3,11"), part = set_of("3,11,4");
	assert_null(topology_split_core(&topology, &whole));
	const struct topology_core *core = topology_split_core(&topology, &part);
	assert_non_null(core);
	char *threads = cpuset_format(&core->threads);
	assert_string_equal(threads, "4,12");
	free(threads);
	topology_finish(&topology);
}

static void assert_refused(const struct topology *topology, const char *text, const char *message) {
	struct cpuset set = set_of(text);
	struct error error = {0};
	assert_int_equal(topology_check(topology, &set, &error), -1);
	assert_string_equal(error.text, message);
}

static void test_absent_and_all_processors_are_refused(void **state) {
	struct topology topology = make(1);
	struct cpuset good = set_of("1-15");
	assert_int_equal(topology_check(&topology, &good, NULL), 0);
	assert_refused(&topology, "", "no processor is named");
	assert_refused(&topology, "4,16", "the host has no processor 16 (it has 0-15)");
	assert_refused(&topology, "0-15",
		"that is every processor the host has (0-15): leave it one core at least");
	topology_finish(&topology);
}

static void assert_suggestion(
	struct topology *topology, unsigned count, const char *wanted, const char *wanted_rest) {
	unsigned pins[64];
	struct cpuset rest, set = {0};
	struct error error = {0};
	assert_int_equal(topology_suggest(topology, count, pins, &rest, &error), 0);
	for (unsigned i = 0; i < count; i++) {
		assert_false(cpuset_has(&set, pins[i]));
		cpuset_add(&set, pins[i]);
	}
	char *text = cpuset_format(&set), *rest_text = cpuset_format(&rest);
	assert_string_equal(text, wanted);
	assert_string_equal(rest_text, wanted_rest);
	free(text);
	free(rest_text);
}

static void test_whole_cores_are_suggested_from_the_last_one_on(void **state) {
	struct topology topology = make(1);
	assert_suggestion(&topology, 4, "6-7,14-15", "0-5,8-13");
	/* The other thread of the third core is nobody's. */
	assert_suggestion(&topology, 5, "5-7,13-14", "0-4,8-12");
	assert_suggestion(&topology, 14, "1-7,9-15", "0,8");
	unsigned pins[64];
	struct cpuset rest;
	struct error error = {0};
	assert_int_equal(topology_suggest(&topology, 15, pins, &rest, &error), -1);
	assert_non_null(strstr(error.text, "it has 8 cores and keeps the first"));
	/* Neighbours in the guest are neighbours on the host. */
	assert_int_equal(topology_suggest(&topology, 4, pins, &rest, &error), 0);
	assert_int_equal(pins[0] + 8, pins[1]);
	assert_int_equal(pins[2] + 8, pins[3]);
	topology_finish(&topology);
}

static void test_a_guest_stays_on_one_node_where_it_fits(void **state) {
	struct topology topology = make(2);
	assert_suggestion(&topology, 8, "4-7,12-15", "0-3,8-11");
	assert_suggestion(&topology, 10, "3-7,11-15", "0-2,8-10");
	topology_finish(&topology);
}

/* Four cores of two threads, and four slow ones of one. */
static void test_fast_cores_are_suggested_where_they_are_enough(void **state) {
	struct memory_tree *tree = memory_tree_create();
	struct topology topology;
	put(tree, "/sys/devices/system/cpu/online", "0-11\n");
	put(tree, "/sys/devices/cpu_core/cpus", "0-7\n");
	put(tree, "/sys/devices/cpu_atom/cpus", "8-11\n");
	for (unsigned cpu = 0; cpu < 8; cpu++) {
		char path[128], text[32];
		snprintf(path, sizeof(path),
			"/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
		snprintf(text, sizeof(text), "%u-%u\n", cpu & ~1U, cpu | 1U);
		put(tree, path, text);
	}
	assert_int_equal(topology_read(&topology, memory_tree_base(tree), NULL), 0);
	assert_suggestion(&topology, 4, "4-7", "0-3,8-11");
	assert_suggestion(&topology, 6, "2-7", "0-1,8-11");
	/* More than there are of them. */
	assert_suggestion(&topology, 8, "4-11", "0-3");
	topology_finish(&topology);
	tree_destroy(memory_tree_base(tree));
}

static void test_a_kernel_that_says_little_is_believed(void **state) {
	struct memory_tree *tree = memory_tree_create();
	struct topology topology;
	struct error error = {0};
	assert_int_equal(topology_read(&topology, memory_tree_base(tree), &error), -1);
	assert_non_null(strstr(error.text, "does not say which processors"));
	put(tree, "/sys/devices/system/cpu/online", "0,2-3\n");
	assert_int_equal(topology_read(&topology, memory_tree_base(tree), &error), 0);
	assert_int_equal(topology.cores_count, 3);
	assert_suggestion(&topology, 2, "2-3", "0");
	topology_finish(&topology);
	put(tree, "/sys/devices/system/cpu/online", "nonsense\n");
	assert_int_equal(topology_read(&topology, memory_tree_base(tree), &error), -1);
	tree_destroy(memory_tree_base(tree));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sets_are_read_and_written),
		cmocka_unit_test(test_threads_of_one_core_belong_together),
		cmocka_unit_test(test_absent_and_all_processors_are_refused),
		cmocka_unit_test(test_whole_cores_are_suggested_from_the_last_one_on),
		cmocka_unit_test(test_a_guest_stays_on_one_node_where_it_fits),
		cmocka_unit_test(test_fast_cores_are_suggested_where_they_are_enough),
		cmocka_unit_test(test_a_kernel_that_says_little_is_believed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
