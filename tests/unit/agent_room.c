/* A full heap: who waits, who goes on in what, and whose buffers are given to whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <heap_alloc.h>

#include "content_fixture.h"

/* Leaves no room in the heap; returns how many ranges that took. */
static size_t fill_heap(struct fixture *fixture, size_t taken[64]) {
	size_t count = 0, largest;
	while ((largest = portal_heap_alloc_get_largest(fixture->agent.heap_alloc)) > 0 &&
		count < 64) {
		taken[count++] = portal_heap_alloc_get(fixture->agent.heap_alloc, largest, NULL);
	}
	return count;
}

static void empty_heap(struct fixture *fixture, const size_t taken[64], size_t count) {
	while (count > 0) {
		portal_heap_alloc_put(fixture->agent.heap_alloc, taken[--count]);
	}
}

static void a_full_heap_makes_a_new_size_wait_for_room(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer small, large;
	size_t taken[64];
	uint64_t copied;
	int damaged;

	buffer_init(&small, WIDTH, HEIGHT / 2, 1);
	buffer_init(&large, WIDTH, HEIGHT, 2);
	attach(fixture, &small, WIDTH, HEIGHT);
	take(fixture, false, &copied, &damaged);
	size_t count = fill_heap(fixture, taken);
	attach(fixture, &large, WIDTH, HEIGHT);
	assert_false(reserve(&fixture->content));
	assert_false(large.released);
	empty_heap(fixture, taken, count);
	assert_non_null(take(fixture, false, &copied, &damaged));
	assert_true(large.released);
	buffer_drop(&small);
	buffer_drop(&large);
}

static void a_full_heap_lets_a_window_go_on_in_the_buffer_it_has(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	size_t taken[64];
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 1);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	struct wl_buffer *first = take(fixture, false, &copied, &damaged);
	size_t count = fill_heap(fixture, taken);
	attach(fixture, &buffer, 3, 3);
	assert_ptr_equal(take(fixture, false, &copied, &damaged), first);
	assert_int_equal(copied, 9);
	empty_heap(fixture, taken, count);
	buffer_drop(&buffer);
}

/* Leaves `other` with two buffers of this size: one is shown, the other one spare. */
static void make_spare(struct fixture *fixture, struct app_buffer *buffer) {
	pixman_region32_t damage;
	struct wl_buffer *shown[2];
	pixman_region32_init(&damage);
	for (int i = 0; i < 2; i++) {
		attach_to(&fixture->other, buffer, 1, 1);
		assert_true(reserve(&fixture->other));
		shown[i] = content_take(&fixture->other, &fixture->connection, false, &damage);
	}
	pixman_region32_fini(&damage);
	assert_ptr_not_equal(shown[0], shown[1]);
	release(fixture, shown[0]);
}

static int count_slots(const struct content *content) {
	int count = 0;
	for (size_t i = 0; i < CONTENT_SLOTS; i++) {
		count += content->slots[i] != NULL;
	}
	return count;
}

static void a_window_that_would_wait_gets_what_is_spare_elsewhere(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer still, new;
	size_t taken[64];
	uint64_t copied;
	int damaged;

	buffer_init(&still, WIDTH, HEIGHT, 1);
	buffer_init(&new, WIDTH, HEIGHT, 2);
	make_spare(fixture, &still);
	size_t count = fill_heap(fixture, taken);
	attach(fixture, &new, WIDTH, HEIGHT);
	assert_non_null(take(fixture, false, &copied, &damaged));
	assert_int_equal(front_pixel(fixture, 0, 0), 2);
	assert_int_equal(count_slots(&fixture->other), 1);
	assert_non_null(fixture->other.front); // what is shown stays
	empty_heap(fixture, taken, count);
	buffer_drop(&still);
	buffer_drop(&new);
}

static void what_is_spare_stays_where_it_would_not_be_enough(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer still, new;
	size_t taken[64];

	buffer_init(&still, WIDTH, HEIGHT / 2, 1);
	buffer_init(&new, WIDTH, HEIGHT, 2);
	make_spare(fixture, &still);
	size_t count = fill_heap(fixture, taken);
	attach(fixture, &new, WIDTH, HEIGHT);
	assert_false(reserve(&fixture->content));
	assert_int_equal(count_slots(&fixture->other), 2);
	empty_heap(fixture, taken, count);
	buffer_drop(&still);
	buffer_drop(&new);
}

static void a_window_that_can_draw_over_what_it_shows_gets_what_was_long_spare(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer still, moving;
	size_t taken[64];
	uint64_t copied;
	int damaged, frames = 0;

	buffer_init(&still, WIDTH, HEIGHT, 1);
	buffer_init(&moving, WIDTH, HEIGHT, 2);
	make_spare(fixture, &still);
	attach(fixture, &moving, WIDTH, HEIGHT);
	struct wl_buffer *first = take(fixture, false, &copied, &damaged), *shown = first;
	size_t count = fill_heap(fixture, taken);
	for (; shown == first && frames < 1000; frames++) { // the controller holds what it shows
		attach(fixture, &moving, 1, 1);
		shown = take(fixture, false, &copied, &damaged);
	}
	assert_ptr_not_equal(shown, first);
	assert_true(frames > 100);
	assert_int_equal(count_slots(&fixture->other), 1);
	empty_heap(fixture, taken, count);
	buffer_drop(&still);
	buffer_drop(&moving);
}

static void a_new_size_gets_the_room_of_the_former_one_that_was_released(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer former, new;
	size_t taken[64];
	uint64_t copied;
	int damaged;

	buffer_init(&former, WIDTH, HEIGHT, 1);
	buffer_init(&new, WIDTH, HEIGHT / 2, 2);
	attach(fixture, &former, WIDTH, HEIGHT);
	struct wl_buffer *shown = take(fixture, false, &copied, &damaged);
	size_t count = fill_heap(fixture, taken);
	attach(fixture, &new, WIDTH, HEIGHT);
	assert_false(reserve(&fixture->content));
	assert_non_null(fixture->content.front);
	release(fixture, shown);
	assert_non_null(take(fixture, false, &copied, &damaged));
	assert_int_equal(damaged, WIDTH * HEIGHT / 2);
	empty_heap(fixture, taken, count);
	buffer_drop(&former);
	buffer_drop(&new);
}

/* A second surface of the frame may need what the first one would take beside what it shows. */
static void to_draw_over_what_is_shown_takes_no_room(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	size_t room;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 1);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	take(fixture, false, &copied, &damaged);
	attach(fixture, &buffer, 1, 1);
	room = content_room(&fixture->agent);
	assert_int_equal(content_wanted(&fixture->content), 0);
	assert_true(content_reserve(&fixture->content, false));
	assert_ptr_not_equal(fixture->content.next, fixture->content.front);
	assert_true(content_room(&fixture->agent) < room);
	content_unreserve(&fixture->content);
	assert_int_equal(content_room(&fixture->agent), room);
	assert_true(content_reserve(&fixture->content, true));
	assert_int_equal(content_room(&fixture->agent), room);
	assert_ptr_equal(fixture->content.next, fixture->content.front);
	buffer_drop(&buffer);
}

static void what_is_spare_counts_as_it_was_taken(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer still, large;
	const size_t page = 4096;

	// 17 pages are taken as 18, by the steps of the allocator.
	buffer_init(&still, WIDTH, HEIGHT, 1);
	buffer_init(&large, 17 * (int)page / 4, 1, 2);
	size_t room = content_room(&fixture->agent);
	make_spare(fixture, &still);
	assert_int_equal(content_room(&fixture->agent), room - WIDTH * HEIGHT * 4);
	attach(fixture, &large, 1, 1);
	assert_int_equal(content_wanted(&fixture->content), 18 * page);
	assert_true(content_reserve(&fixture->content, false));
	assert_int_equal(content_room(&fixture->agent), room - WIDTH * HEIGHT * 4 - 18 * page);
	content_unreserve(&fixture->content);
	buffer_drop(&still);
	buffer_drop(&large);
}

static void what_is_to_show_nothing_is_spare(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 1);
	size_t room = content_room(&fixture->agent);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	struct wl_buffer *shown = take(fixture, false, &copied, &damaged);
	release(fixture, shown);
	assert_true(content_room(&fixture->agent) < room);
	content_attach(&fixture->content, NULL, NULL);
	assert_int_equal(content_room(&fixture->agent), room);
	buffer_drop(&buffer);
}

static void a_frame_that_waits_holds_nothing_new(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 1);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	assert_true(reserve(&fixture->content));
	content_unreserve(&fixture->content);
	assert_int_equal(portal_heap_alloc_get_used(fixture->agent.heap_alloc), 0);
	assert_false(buffer.released);
	assert_non_null(take(fixture, false, &copied, &damaged));

	attach(fixture, &buffer, 1, 1); // what it had before it keeps
	assert_true(reserve(&fixture->content));
	int slots = count_slots(&fixture->content);
	content_unreserve(&fixture->content);
	assert_int_equal(count_slots(&fixture->content), slots - 1);
	assert_non_null(fixture->content.front);
	buffer_drop(&buffer);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, content_setup, content_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_full_heap_makes_a_new_size_wait_for_room),
		TEST(a_full_heap_lets_a_window_go_on_in_the_buffer_it_has),
		TEST(a_window_that_would_wait_gets_what_is_spare_elsewhere),
		TEST(what_is_spare_stays_where_it_would_not_be_enough),
		TEST(a_window_that_can_draw_over_what_it_shows_gets_what_was_long_spare),
		TEST(a_new_size_gets_the_room_of_the_former_one_that_was_released),
		TEST(to_draw_over_what_is_shown_takes_no_room),
		TEST(what_is_spare_counts_as_it_was_taken),
		TEST(what_is_to_show_nothing_is_spare),
		TEST(a_frame_that_waits_holds_nothing_new),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
