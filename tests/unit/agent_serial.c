/* Serials of the controller against the agent's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "serial.h"

static void a_local_serial_finds_the_remote_one_of_its_range(void **state) {
	struct serial_map map = {0};
	serial_map_add(&map, 10, 13, 700);
	serial_map_add(&map, 13, 14, 701);
	assert_int_equal(serial_map_find(&map, 11), 700);
	assert_int_equal(serial_map_find(&map, 13), 700);
	assert_int_equal(serial_map_find(&map, 14), 701);
}

static void serials_outside_all_ranges_find_nothing(void **state) {
	struct serial_map map = {0};
	assert_int_equal(serial_map_find(&map, 0), 0);
	serial_map_add(&map, 10, 13, 700);
	assert_int_equal(serial_map_find(&map, 10), 0);
	assert_int_equal(serial_map_find(&map, 14), 0);
}

static void an_event_that_nobody_was_told_leaves_no_range(void **state) {
	struct serial_map map = {0};
	serial_map_add(&map, 10, 10, 700);
	assert_int_equal(serial_map_find(&map, 10), 0);
	assert_int_equal(serial_map_find(&map, 11), 0);
}

static void the_newest_range_wins(void **state) {
	struct serial_map map = {0};
	serial_map_add(&map, 20, 21, 700);
	serial_map_add(&map, 20, 21, 702);
	assert_int_equal(serial_map_find(&map, 21), 702);
}

static void the_oldest_is_forgotten_first(void **state) {
	struct serial_map map = {0};
	for (uint32_t i = 0; i < SERIAL_MAP_SIZE + 3; i++) {
		serial_map_add(&map, i, i + 1, 1000 + i);
	}
	assert_int_equal(serial_map_find(&map, 1), 0);
	assert_int_equal(serial_map_find(&map, 3), 0);
	assert_int_equal(serial_map_find(&map, 4), 1003);
	assert_int_equal(serial_map_find(&map, SERIAL_MAP_SIZE + 3), 1000 + SERIAL_MAP_SIZE + 2);
}

static void ranges_may_wrap_around_zero(void **state) {
	struct serial_map map = {0};
	serial_map_add(&map, UINT32_MAX - 1, 2, 700);
	assert_int_equal(serial_map_find(&map, UINT32_MAX), 700);
	assert_int_equal(serial_map_find(&map, 0), 700);
	assert_int_equal(serial_map_find(&map, 2), 700);
	assert_int_equal(serial_map_find(&map, 3), 0);
	assert_int_equal(serial_map_find(&map, UINT32_MAX - 1), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_local_serial_finds_the_remote_one_of_its_range),
		cmocka_unit_test(serials_outside_all_ranges_find_nothing),
		cmocka_unit_test(an_event_that_nobody_was_told_leaves_no_range),
		cmocka_unit_test(the_newest_range_wins),
		cmocka_unit_test(the_oldest_is_forgotten_first),
		cmocka_unit_test(ranges_may_wrap_around_zero),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
