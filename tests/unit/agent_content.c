/* The pixels of a surface: what is copied when, into how many heap buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <drm_fourcc.h>
#include <heap_alloc.h>

#include "content_fixture.h"

static void a_new_size_is_copied_whole_whatever_is_damaged(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 0xff112233);
	attach(fixture, &buffer, 1, 1);
	assert_non_null(take(fixture, false, &copied, &damaged));
	assert_int_equal(copied, WIDTH * HEIGHT);
	assert_int_equal(damaged, WIDTH * HEIGHT);
	assert_int_equal(front_pixel(fixture, WIDTH - 1, HEIGHT - 1), 0xff112233);
	buffer_drop(&buffer);
}

static void the_applications_buffer_is_released_by_the_copy(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 1);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	assert_false(buffer.released);
	take(fixture, false, &copied, &damaged);
	assert_true(buffer.released);
	buffer_drop(&buffer);
}

static void one_heap_buffer_is_enough_where_each_is_released_at_once(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 1);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	struct wl_buffer *first = take(fixture, false, &copied, &damaged);
	for (int i = 0; i < 5; i++) {
		release(fixture, first);
		attach(fixture, &buffer, 10, 10);
		assert_ptr_equal(take(fixture, false, &copied, &damaged), first);
		assert_int_equal(copied, 100);
		assert_int_equal(damaged, 100);
	}
	assert_int_equal(fixture->released, 5);
	buffer_drop(&buffer);
}

static void a_held_buffer_gets_a_second_that_catches_up_on_what_it_missed(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 1);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	struct wl_buffer *first = take(fixture, false, &copied, &damaged);

	buffer.pixels[5][5] = 7;
	attach(fixture, &buffer, 10, 10);
	struct wl_buffer *second = take(fixture, false, &copied, &damaged);
	assert_ptr_not_equal(second, first);
	assert_int_equal(copied, WIDTH * HEIGHT);
	assert_int_equal(damaged, 100);
	release(fixture, first);

	attach(fixture, &buffer, 2, 2);
	assert_ptr_equal(take(fixture, false, &copied, &damaged), first);
	assert_int_equal(copied, 100); // of the frame before, which covers its own
	assert_int_equal(damaged, 4);
	assert_int_equal(front_pixel(fixture, 5, 5), 7);
	buffer_drop(&buffer);
}

static void a_superseded_buffer_is_released_unread(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer first, second;
	uint64_t copied;
	int damaged;

	buffer_init(&first, WIDTH, HEIGHT, 1);
	buffer_init(&second, WIDTH, HEIGHT, 2);
	attach(fixture, &first, WIDTH, HEIGHT);
	attach(fixture, &second, 3, 3);
	assert_true(first.released);
	assert_int_equal(first.reads, 0);
	take(fixture, false, &copied, &damaged);
	assert_int_equal(second.reads, 1);
	assert_int_equal(damaged, WIDTH * HEIGHT);
	assert_int_equal(front_pixel(fixture, 20, 20), 2);
	buffer_drop(&first);
	buffer_drop(&second);
}

static void damage_adds_up_until_it_is_sent(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	pixman_region32_t damage;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 1);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	release(fixture, take(fixture, false, &copied, &damaged));

	attach(fixture, &buffer, 4, 4);
	pixman_region32_init_rect(&damage, 40, 20, 5, 5);
	content_attach(&fixture->content, &buffer.base, &damage);
	pixman_region32_fini(&damage);
	take(fixture, false, &copied, &damaged);
	assert_int_equal(copied, 4 * 4 + 5 * 5);
	assert_int_equal(damaged, 45 * 25); // the extents
	buffer_drop(&buffer);
}

static void damage_outside_the_buffer_is_not_copied(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 1);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	release(fixture, take(fixture, false, &copied, &damaged));
	attach(fixture, &buffer, INT32_MAX, INT32_MAX);
	take(fixture, false, &copied, &damaged);
	assert_int_equal(copied, WIDTH * HEIGHT);
	buffer_drop(&buffer);
}

static void a_former_size_goes_when_the_controller_releases_it(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer large, small;
	uint64_t copied;
	int damaged;

	buffer_init(&large, WIDTH, HEIGHT, 1);
	buffer_init(&small, WIDTH, HEIGHT / 2, 2);
	attach(fixture, &large, WIDTH, HEIGHT);
	struct wl_buffer *first = take(fixture, false, &copied, &damaged);
	attach(fixture, &small, 1, 1);
	take(fixture, false, &copied, &damaged);
	assert_int_equal(damaged, WIDTH * HEIGHT / 2);
	size_t used = portal_heap_alloc_get_used(fixture->agent.heap_alloc);
	release(fixture, first);
	assert_true(portal_heap_alloc_get_used(fixture->agent.heap_alloc) < used);
	buffer_drop(&large);
	buffer_drop(&small);
}

static void a_new_mirror_shows_the_last_frame_again_without_a_copy(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 0xff445566);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	take(fixture, false, &copied, &damaged);
	content_unrealize_all(&fixture->connection);
	assert_non_null(take(fixture, true, &copied, &damaged));
	assert_int_equal(copied, 0);
	assert_int_equal(damaged, WIDTH * HEIGHT);
	assert_int_equal(front_pixel(fixture, 3, 3), 0xff445566);
	buffer_drop(&buffer);
}

static void a_format_that_the_controller_lacks_becomes_one_it_has(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	uint64_t copied;
	int damaged;

	fixture->agent.connection = &fixture->connection; // which has no formats
	buffer_init(&buffer, WIDTH, HEIGHT, 0x00112233);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	assert_non_null(take(fixture, false, &copied, &damaged));
	assert_int_equal(copied, WIDTH * HEIGHT);
	assert_int_equal(fixture->content.front->format, DRM_FORMAT_ARGB8888);
	assert_int_equal(front_pixel(fixture, 9, 9), 0xff112233);
	buffer_drop(&buffer);
}

static void nothing_new_is_nothing_to_attach(void **state) {
	struct fixture *fixture = *state;
	uint64_t copied;
	int damaged;
	assert_null(take(fixture, true, &copied, &damaged));
	assert_int_equal(copied, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, content_setup, content_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_new_size_is_copied_whole_whatever_is_damaged),
		TEST(the_applications_buffer_is_released_by_the_copy),
		TEST(one_heap_buffer_is_enough_where_each_is_released_at_once),
		TEST(a_held_buffer_gets_a_second_that_catches_up_on_what_it_missed),
		TEST(a_superseded_buffer_is_released_unread),
		TEST(damage_adds_up_until_it_is_sent),
		TEST(damage_outside_the_buffer_is_not_copied),
		TEST(a_former_size_goes_when_the_controller_releases_it),
		TEST(a_new_mirror_shows_the_last_frame_again_without_a_copy),
		TEST(a_format_that_the_controller_lacks_becomes_one_it_has),
		TEST(nothing_new_is_nothing_to_attach),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
