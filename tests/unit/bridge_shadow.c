#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "shadow.h"
#include "stream.h"
#include "wire-tables.h"

#define SURFACE 3
#define BUFFER_A 10
#define BUFFER_B 11
#define WIDTH 100
#define HEIGHT 50
#define STRIDE 448 /* more than the pixels take */
#define OFFSET_A (2u << 20)
#define OFFSET_B (3u << 20)

struct shadow_test {
	struct portal_heap heap;
	struct bridge_shadow shadow;
	struct bridge_shadow_connection *connection;
};

static void request(struct shadow_test *test, uint8_t interface, uint32_t object, uint16_t opcode,
	const uint32_t *args, size_t n_args) {
	uint32_t message[16] = {object, (uint32_t)(8 + 4 * n_args) << 16 | opcode};
	for (size_t i = 0; i < n_args; i++) {
		message[2 + i] = args[i];
	}
	const struct portal_wire_info info = {
		.object = object, .opcode = opcode, .interface = interface};
	assert_int_equal(
		bridge_shadow_request(test->connection, &info, message, 8 + 4 * n_args), 0);
}

static void create_surface(struct shadow_test *test, uint32_t id) {
	request(test, PORTAL_WIRE_WL_COMPOSITOR, 2, PORTAL_REQUEST_WL_COMPOSITOR_CREATE_SURFACE,
		&id, 1);
}

static void create_buffer(struct shadow_test *test, uint32_t id, uint32_t offset) {
	const uint32_t args[] = {id, offset, WIDTH, HEIGHT, STRIDE, 1};
	request(test, PORTAL_WIRE_WL_SHM_POOL, 4, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, args,
		6);
}

static void attach(struct shadow_test *test, uint32_t buffer) {
	const uint32_t args[] = {buffer, 0, 0};
	request(test, PORTAL_WIRE_WL_SURFACE, SURFACE, PORTAL_REQUEST_WL_SURFACE_ATTACH, args, 3);
}

static void damage(struct shadow_test *test, int32_t x, int32_t y, int32_t width, int32_t height) {
	const uint32_t args[] = {(uint32_t)x, (uint32_t)y, (uint32_t)width, (uint32_t)height};
	request(test, PORTAL_WIRE_WL_SURFACE, SURFACE, PORTAL_REQUEST_WL_SURFACE_DAMAGE_BUFFER,
		args, 4);
}

static void commit(struct shadow_test *test) {
	request(test, PORTAL_WIRE_WL_SURFACE, SURFACE, PORTAL_REQUEST_WL_SURFACE_COMMIT, NULL, 0);
}

static void fill(struct shadow_test *test, uint32_t offset, uint8_t value) {
	memset(test->heap.map + offset, value, STRIDE * HEIGHT);
}

static uint8_t shown(struct shadow_test *test, uint32_t offset, int32_t x, int32_t y) {
	return test->shadow.shown.map[offset + (uint32_t)y * STRIDE + (uint32_t)x * 4];
}

static int setup(void **state) {
	struct shadow_test *test = calloc(1, sizeof(*test));
	const struct portal_heap_address address = {.kind = PORTAL_HEAP_MEMFD, .size = 8 << 20};
	if (portal_heap_create(&test->heap, &address, NULL) < 0 ||
		bridge_shadow_init(&test->shadow, &test->heap) < 0) {
		return -1;
	}
	test->connection = bridge_shadow_connection_create(&test->shadow);
	create_surface(test, SURFACE);
	create_buffer(test, BUFFER_A, OFFSET_A);
	create_buffer(test, BUFFER_B, OFFSET_B);
	*state = test;
	return 0;
}

static int teardown(void **state) {
	struct shadow_test *test = *state;
	bridge_shadow_connection_destroy(test->connection);
	bridge_shadow_finish(&test->shadow);
	portal_heap_finish(&test->heap);
	free(test);
	return 0;
}

static void a_buffers_first_frame_is_copied_whole(void **state) {
	struct shadow_test *test = *state;
	fill(test, OFFSET_A, 1);
	attach(test, BUFFER_A);
	damage(test, 0, 0, 1, 1);
	assert_int_equal(shown(test, OFFSET_A, 0, 0), 0);
	commit(test);
	assert_int_equal(shown(test, OFFSET_A, 0, 0), 1);
	assert_int_equal(shown(test, OFFSET_A, WIDTH - 1, HEIGHT - 1), 1);
	assert_int_equal(test->shadow.copied_bytes, WIDTH * HEIGHT * 4);
}

static void only_damage_is_copied_later(void **state) {
	struct shadow_test *test = *state;
	attach(test, BUFFER_A);
	commit(test);
	uint64_t before = test->shadow.copied_bytes;
	fill(test, OFFSET_A, 2);
	attach(test, BUFFER_A);
	damage(test, 10, 20, 3, 4);
	commit(test);
	assert_int_equal(test->shadow.copied_bytes - before, 3 * 4 * 4);
	assert_int_equal(shown(test, OFFSET_A, 10, 20), 2);
	assert_int_equal(shown(test, OFFSET_A, 12, 23), 2);
	assert_int_equal(shown(test, OFFSET_A, 13, 23), 0);
	assert_int_equal(shown(test, OFFSET_A, 9, 20), 0);
}

static void the_other_buffer_catches_up_on_what_it_missed(void **state) {
	struct shadow_test *test = *state;
	attach(test, BUFFER_A);
	commit(test);
	attach(test, BUFFER_B);
	commit(test);
	fill(test, OFFSET_A, 3);
	fill(test, OFFSET_B, 3);
	attach(test, BUFFER_A);
	damage(test, 0, 0, 2, 2);
	commit(test);
	uint64_t before = test->shadow.copied_bytes;
	attach(test, BUFFER_B);
	damage(test, 50, 0, 2, 2);
	commit(test);
	assert_int_equal(test->shadow.copied_bytes - before, 2 * (2 * 2 * 4));
	assert_int_equal(shown(test, OFFSET_B, 0, 0), 3);
	assert_int_equal(shown(test, OFFSET_B, 50, 0), 3);
	assert_int_equal(shown(test, OFFSET_B, 30, 0), 0);
}

static void damage_without_an_attach_is_of_the_shown_buffer(void **state) {
	struct shadow_test *test = *state;
	attach(test, BUFFER_A);
	commit(test);
	fill(test, OFFSET_A, 4);
	commit(test);
	assert_int_equal(shown(test, OFFSET_A, 5, 5), 0);
	damage(test, 5, 5, 1, 1);
	commit(test);
	assert_int_equal(shown(test, OFFSET_A, 5, 5), 4);
}

static void damage_in_surface_coordinates_may_be_anywhere(void **state) {
	struct shadow_test *test = *state;
	attach(test, BUFFER_A);
	commit(test);
	attach(test, BUFFER_B);
	commit(test);
	fill(test, OFFSET_A, 5);
	fill(test, OFFSET_B, 5);
	attach(test, BUFFER_A);
	const uint32_t args[] = {0, 0, 1, 1};
	request(test, PORTAL_WIRE_WL_SURFACE, SURFACE, PORTAL_REQUEST_WL_SURFACE_DAMAGE, args, 4);
	commit(test);
	assert_int_equal(shown(test, OFFSET_A, WIDTH - 1, HEIGHT - 1), 5);
	attach(test, BUFFER_B);
	damage(test, 0, 0, 1, 1);
	commit(test);
	assert_int_equal(shown(test, OFFSET_B, WIDTH - 1, HEIGHT - 1), 5);
}

static void damage_far_outside_copies_nothing_outside(void **state) {
	struct shadow_test *test = *state;
	attach(test, BUFFER_A);
	commit(test);
	memset(test->heap.map + OFFSET_A - 4096, 6, 4096 + STRIDE * HEIGHT + 4096);
	static const int32_t rectangles[][4] = {
		{0, 0, INT32_MAX, INT32_MAX},
		{INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX},
		{INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX},
		{-5, -5, 6, 6},
		{WIDTH - 1, HEIGHT - 1, 100, 100},
		{5, 5, -1, -1},
	};
	for (size_t i = 0; i < sizeof(rectangles) / sizeof(rectangles[0]); i++) {
		attach(test, BUFFER_A);
		damage(test, rectangles[i][0], rectangles[i][1], rectangles[i][2],
			rectangles[i][3]);
		commit(test);
	}
	assert_int_equal(shown(test, OFFSET_A, 0, 0), 6);
	assert_int_equal(test->shadow.shown.map[OFFSET_A - 1], 0);
	assert_int_equal(test->shadow.shown.map[OFFSET_A + STRIDE * HEIGHT], 0);
	/* nor between the rows' ends and their stride */
	assert_int_equal(shown(test, OFFSET_A, WIDTH, 0), 0);
}

static void ids_are_used_again(void **state) {
	struct shadow_test *test = *state;
	for (int i = 0; i < 3; i++) {
		attach(test, BUFFER_A);
		commit(test);
		attach(test, BUFFER_B);
		commit(test);
		request(test, PORTAL_WIRE_WL_BUFFER, BUFFER_A, PORTAL_REQUEST_WL_BUFFER_DESTROY,
			NULL, 0);
		attach(test, BUFFER_A);
		damage(test, 0, 0, 1, 1);
		commit(test);
		create_buffer(test, BUFFER_A, OFFSET_A + 4096);
		request(test, PORTAL_WIRE_WL_SURFACE, SURFACE, PORTAL_REQUEST_WL_SURFACE_DESTROY,
			NULL, 0);
		commit(test);
		create_surface(test, SURFACE);
		create_buffer(test, 1000 + (uint32_t)i, OFFSET_A);
	}
	fill(test, OFFSET_B, 7);
	attach(test, BUFFER_B);
	commit(test);
	assert_int_equal(shown(test, OFFSET_B, WIDTH - 1, HEIGHT - 1), 7);
}

static void streaming_copies_what_memcpy_would(void **state) {
	uint8_t *from = aligned_alloc(64, 1024), *to = malloc(1024);
	for (size_t i = 0; i < 1024; i++) {
		from[i] = (uint8_t)(i * 31 + i / 256);
	}
	for (size_t begin = 0; begin < 70; begin += 3) {
		for (size_t size = 0; size < 300; size += 7) {
			memset(to, 0xee, 1024);
			bridge_stream_read(to + 5, from + begin, size);
			assert_memory_equal(to + 5, from + begin, size);
			assert_int_equal(to[4], 0xee);
			assert_int_equal(to[5 + size], 0xee);
		}
	}
	free(from);
	free(to);
}

#define IN_SHADOW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		IN_SHADOW(a_buffers_first_frame_is_copied_whole),
		IN_SHADOW(only_damage_is_copied_later),
		IN_SHADOW(the_other_buffer_catches_up_on_what_it_missed),
		IN_SHADOW(damage_without_an_attach_is_of_the_shown_buffer),
		IN_SHADOW(damage_in_surface_coordinates_may_be_anywhere),
		IN_SHADOW(damage_far_outside_copies_nothing_outside),
		IN_SHADOW(ids_are_used_again),
		cmocka_unit_test(streaming_copies_what_memcpy_would),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
