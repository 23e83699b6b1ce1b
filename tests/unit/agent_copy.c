/* Damaged pixels between two buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <drm_fourcc.h>

#include "copy.h"

#define WIDTH 16
#define HEIGHT 8

static void fill(uint32_t pixels[HEIGHT][WIDTH], uint32_t first) {
	for (uint32_t i = 0; i < WIDTH * HEIGHT; i++) {
		pixels[i / WIDTH][i % WIDTH] = first + i;
	}
}

static void only_the_region_is_copied_and_counted(void **state) {
	uint32_t from[HEIGHT][WIDTH], to[HEIGHT][WIDTH];
	pixman_region32_t region;

	fill(from, 1);
	memset(to, 0, sizeof(to));
	pixman_region32_init_rect(&region, 2, 1, 3, 2);
	pixman_region32_union_rect(&region, &region, 10, 6, 4, 2);
	assert_int_equal(copy_region(to, sizeof(to[0]), from, sizeof(from[0]), 4, &region), 14);
	for (int y = 0; y < HEIGHT; y++) {
		for (int x = 0; x < WIDTH; x++) {
			bool inside = pixman_region32_contains_point(&region, x, y, NULL);
			assert_int_equal(to[y][x], inside ? from[y][x] : 0);
		}
	}
	pixman_region32_fini(&region);
}

static void whole_rows_and_different_strides_give_the_same_pixels(void **state) {
	uint32_t from[HEIGHT][WIDTH], same[HEIGHT][WIDTH], wide[HEIGHT][WIDTH + 3];
	pixman_region32_t region;

	fill(from, 100);
	pixman_region32_init_rect(&region, 0, 0, WIDTH, HEIGHT);
	copy_region(same, sizeof(same[0]), from, sizeof(from[0]), 4, &region);
	assert_memory_equal(same, from, sizeof(from));
	copy_region(wide, sizeof(wide[0]), from, sizeof(from[0]), 4, &region);
	for (int y = 0; y < HEIGHT; y++) {
		assert_memory_equal(wide[y], from[y], sizeof(from[y]));
	}
	pixman_region32_fini(&region);
}

static void pixels_have_the_size_of_their_format(void **state) {
	uint8_t from[4][6], to[4][6];
	pixman_region32_t region;

	memset(from, 0xab, sizeof(from));
	memset(to, 0, sizeof(to));
	pixman_region32_init_rect(&region, 1, 1, 1, 1);
	copy_region(to, 6, from, 6, 3, &region); // two pixels of RGB888 a row
	const uint8_t row[6] = {0, 0, 0, 0xab, 0xab, 0xab};
	assert_memory_equal(to[1], row, sizeof(row));
	assert_int_equal(to[0][3] | to[2][3], 0);
	pixman_region32_fini(&region);
}

static void an_empty_region_copies_nothing(void **state) {
	uint32_t from[1] = {1}, to[1] = {0};
	pixman_region32_t region;
	pixman_region32_init(&region);
	assert_int_equal(copy_region(to, 4, from, 4, 4, &region), 0);
	assert_int_equal(to[0], 0);
	pixman_region32_fini(&region);
}

static void a_format_is_converted_inside_the_region_only(void **state) {
	const uint32_t from[2][2] = {{0x00112233, 0x00112233}, {0x00112233, 0x00445566}};
	uint32_t to[2][2] = {{0}};
	pixman_region32_t region;

	pixman_region32_init_rect(&region, 1, 0, 1, 2);
	assert_int_equal(copy_convert(to, 8, from, 8, DRM_FORMAT_XBGR8888, 2, 2, &region), 2);
	assert_int_equal(to[0][0], 0);
	assert_int_equal(to[0][1], 0xff332211);
	assert_int_equal(to[1][0], 0);
	assert_int_equal(to[1][1], 0xff665544);
	assert_false(copy_format_converts(DRM_FORMAT_ABGR16161616F));
	pixman_region32_fini(&region);
}

static void unknown_formats_have_no_pixel_size(void **state) {
	assert_int_equal(copy_format_bpp(DRM_FORMAT_ARGB8888), 4);
	assert_int_equal(copy_format_bpp(DRM_FORMAT_RGB565), 2);
	assert_int_equal(copy_format_bpp(DRM_FORMAT_XBGR16161616F), 8);
	assert_int_equal(copy_format_bpp(DRM_FORMAT_NV12), 0);
	assert_int_equal(copy_format_bpp(0), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_region_is_copied_and_counted),
		cmocka_unit_test(whole_rows_and_different_strides_give_the_same_pixels),
		cmocka_unit_test(pixels_have_the_size_of_their_format),
		cmocka_unit_test(an_empty_region_copies_nothing),
		cmocka_unit_test(a_format_is_converted_inside_the_region_only),
		cmocka_unit_test(unknown_formats_have_no_pixel_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
