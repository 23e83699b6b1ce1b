#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buffer.h"
#include "compositor_config.h"
#include "label.h"
#include "titlebar.h"

#define WIDTH 400

static struct compositor_config *config;
static char label_text[] = "Banking";

static int setup(void **state) {
	config = compositor_config_create();
	return config != NULL ? 0 : -1;
}

static int teardown(void **state) {
	compositor_config_destroy(config);
	return 0;
}

/* A picture of the title bar of a guest's window, to be dropped. */
static struct buffer *draw(const char *title, enum label_kind kind, double scale) {
	const struct label label = {.kind = kind, .text = label_text, .color = 0xf0c020};
	struct titlebar bar = {
		.width = WIDTH,
		.height = titlebar_height(&config->theme),
		.scale = scale,
		.untrusted_title = title,
		.label = &label,
	};
	struct wlr_buffer *base = titlebar_draw(&config->theme, &bar);
	assert_non_null(base);
	struct buffer *buffer = wl_container_of(base, buffer, base);
	return buffer;
}

static bool same_column(struct buffer *a, struct buffer *b, int x) {
	int stride = cairo_image_surface_get_stride(a->surface);
	const unsigned char *first = cairo_image_surface_get_data(a->surface) + x * 4;
	const unsigned char *second = cairo_image_surface_get_data(b->surface) + x * 4;
	for (int y = 0; y < a->base.height; y++) {
		if (memcmp(first + y * stride, second + y * stride, 4) != 0) {
			return false;
		}
	}
	return true;
}

/* The columns, from the first to the last, in which two pictures differ. False: in none. */
static bool differing(struct buffer *a, struct buffer *b, int *first, int *last) {
	*first = -1;
	for (int x = 0; x < a->base.width; x++) {
		if (!same_column(a, b, x)) {
			*first = *first < 0 ? x : *first;
			*last = x;
		}
	}
	return *first >= 0;
}

static void repeat(char *out, size_t size, const char *piece) {
	out[0] = '\0';
	while (strlen(out) + strlen(piece) + 1 < size) {
		strcat(out, piece);
	}
}

static void test_no_title_is_drawn_over_the_label_or_the_buttons(void **state) {
	/* Blocks fill the room of a title from edge to edge. */
	static const char *const pieces[] = {
		"\u0353\u035a\u0359\u034d", /* combining marks that hang over what is before them */
		"\u0300\u0301\u0302\u0303a", "\ufdfd", "\u0635\u0644\u0649 ", "\u05e9\u05dc ",
		"\U0001f98a", "\u202e\u2066evil", "\x01\x1b[31m", "\u2028\u2029", "\xff\xfe",
		"f\u0338j", "\u0f7e\u0f71\u0f72", "\U00012219", "W"};
	for (double scale = 1; scale <= 2; scale += 0.5) {
		char text[4096];
		int left, right;
		struct buffer *empty = draw(NULL, LABEL_VM, scale);
		repeat(text, sizeof(text), "\u2588");
		struct buffer *full = draw(text, LABEL_VM, scale);
		assert_true(differing(empty, full, &left, &right));
		for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
			repeat(text, sizeof(text), pieces[i]);
			struct buffer *hostile = draw(text, LABEL_VM, scale);
			int first, last;
			if (differing(empty, hostile, &first, &last) &&
				(first < left || last > right + 8 * scale)) {
				fail_msg("title %zu at scale %g is drawn from %d to %d, not within "
					 "%d to %d",
					i, scale, first, last, left, right);
			}
			wlr_buffer_drop(&hostile->base);
		}
		wlr_buffer_drop(&full->base);
		wlr_buffer_drop(&empty->base);
	}
}

static void test_control_and_format_characters_are_not_drawn(void **state) {
	struct buffer *plain = draw("a  b", LABEL_VM, 1);
	struct buffer *control = draw("a\x1b\nb", LABEL_VM, 1);
	struct buffer *override = draw("a\u202e\u200fb", LABEL_VM, 1);
	int first, last;
	assert_false(differing(plain, control, &first, &last));
	assert_false(differing(plain, override, &first, &last));
	wlr_buffer_drop(&plain->base);
	wlr_buffer_drop(&control->base);
	wlr_buffer_drop(&override->base);
}

/* How many buttons there are beside a label, in a bar of that width. */
static int buttons_beside(char *text, int width) {
	const struct label label = {.kind = LABEL_VM, .text = text, .color = 0xf0c020};
	struct titlebar bar = {
		.width = width,
		.height = titlebar_height(&config->theme),
		.scale = 1,
		.untrusted_title = "title",
		.label = &label,
	};
	struct wlr_buffer *base = titlebar_draw(&config->theme, &bar);
	assert_non_null(base);
	wlr_buffer_drop(base);
	return bar.buttons;
}

static void test_a_long_label_leaves_room_for_the_buttons(void **state) {
	char text[] = "a label that somebody has made far too long for any title bar there is";
	assert_int_equal(buttons_beside(text, 300), 3);
	assert_int_equal(buttons_beside(text, 1000), 3);
}

static void test_in_a_narrow_window_the_label_stays_and_the_buttons_go(void **state) {
	assert_int_equal(buttons_beside(label_text, 100), 0);
	assert_int_equal(buttons_beside(label_text, 400), 3);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_title_is_drawn_over_the_label_or_the_buttons),
		cmocka_unit_test(test_control_and_format_characters_are_not_drawn),
		cmocka_unit_test(test_a_long_label_leaves_room_for_the_buttons),
		cmocka_unit_test(test_in_a_narrow_window_the_label_stays_and_the_buttons_go),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
