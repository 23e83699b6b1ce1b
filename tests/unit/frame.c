#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"

_Alignas(8) static uint8_t buffer[PORTAL_FRAME_MAX + 64];

static void a_frame_is_decoded_as_it_was_encoded(void **state) {
	struct portal_frame frame;
	for (size_t length = 0; length < 40; length++) {
		memset(buffer, 0xee, sizeof(buffer));
		memset(buffer + 16, 0x5a, length);
		size_t size = portal_frame_encode(
			buffer, PORTAL_FRAME_PIPE_DATA, PORTAL_PIPE_FLAG_END, 77, 5, length);
		assert_int_equal(size % PORTAL_FRAME_ALIGNMENT, 0);
		assert_int_equal(size, portal_frame_size(length));
		assert_int_equal(portal_frame_decode(buffer, sizeof(buffer), &frame), size);
		assert_int_equal(frame.type, PORTAL_FRAME_PIPE_DATA);
		assert_int_equal(frame.flags, PORTAL_PIPE_FLAG_END);
		assert_int_equal(frame.id, 77);
		assert_int_equal(frame.sequence, 5);
		assert_int_equal(frame.length, length);
		assert_ptr_equal(frame.payload, buffer + 16);
	}
}

static void a_part_of_a_frame_waits_for_the_rest(void **state) {
	struct portal_frame frame;
	size_t size = portal_frame_encode(buffer, PORTAL_FRAME_WAYLAND, 0, 1, 0, 100);
	for (size_t part = 0; part < size; part++) {
		uint8_t *exact = malloc(part + 1);
		memcpy(exact, buffer, part);
		assert_int_equal(portal_frame_decode(exact, part, &frame), 0);
		free(exact);
	}
	assert_int_equal(portal_frame_decode(buffer, size, &frame), size);
}

static void the_largest_frame_is_64_kib(void **state) {
	struct portal_frame frame;
	size_t size = portal_frame_encode(
		buffer, PORTAL_FRAME_PIPE_DATA, 0, 1, 0, PORTAL_FRAME_PAYLOAD_MAX);
	assert_int_equal(size, PORTAL_FRAME_MAX);
	assert_int_equal(portal_frame_decode(buffer, size, &frame), size);
	portal_frame_encode(buffer, PORTAL_FRAME_PIPE_DATA, 0, 1, 0, PORTAL_FRAME_PAYLOAD_MAX + 1);
	assert_int_equal(portal_frame_decode(buffer, 16, &frame), -1);
	assert_int_equal(errno, EPROTO);
}

static void lengths_a_type_cannot_have_are_refused_from_the_header(void **state) {
	static const struct {
		enum portal_frame_type type;
		size_t length;
	} wrong[] = {
		{PORTAL_FRAME_HELLO, 87},
		{PORTAL_FRAME_HELLO, 4097},
		{PORTAL_FRAME_AUTH, 31},
		{PORTAL_FRAME_AUTH, 33},
		{PORTAL_FRAME_PING, 9},
		{PORTAL_FRAME_PONG, 8},
		{PORTAL_FRAME_BYE, 7},
		{PORTAL_FRAME_BYE, 8 + PORTAL_BYE_TEXT_MAX + 1},
		{PORTAL_FRAME_CONNECT, PORTAL_CONNECT_NAME_MAX + 1},
		{PORTAL_FRAME_WAYLAND, 4},
		{PORTAL_FRAME_DESCRIPTOR, 31},
		{PORTAL_FRAME_PIPE_CREDIT, 4},
		{PORTAL_FRAME_PIPE_CLOSE, 1},
		{PORTAL_FRAME_HEAP_DATA, 23},
		{PORTAL_FRAME_LAUNCH, 7},
		{PORTAL_FRAME_LAUNCHED, 9},
		{PORTAL_FRAME_EXITED, 0},
		{PORTAL_FRAME_SIGNAL, 12},
		{PORTAL_FRAME_CALL, 15},
		{PORTAL_FRAME_CALL, 16 + 64},
		{PORTAL_FRAME_ANSWER, 7},
		{PORTAL_FRAME_ANSWER, 8 + 512 * 80 + PORTAL_BYE_TEXT_MAX + 1},
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct portal_frame frame;
		portal_frame_encode(buffer, wrong[i].type, 0, 0, 0, wrong[i].length);
		assert_int_equal(portal_frame_decode(buffer, 16, &frame), -1);
		assert_int_equal(errno, EPROTO);
	}
}

static void types_and_flags_that_mean_nothing_are_refused(void **state) {
	struct portal_frame frame;
	for (uint32_t type = 0; type <= UINT16_MAX; type++) {
		bool known = strcmp(portal_frame_type_name(type), "unknown") != 0;
		portal_frame_encode(buffer, (enum portal_frame_type)type, 0, 0, 0, 32);
		if (!known) {
			assert_int_equal(portal_frame_decode(buffer, sizeof(buffer), &frame), -1);
		}
	}
	portal_frame_encode(buffer, PORTAL_FRAME_WAYLAND, 1, 0, 0, 32);
	assert_int_equal(portal_frame_decode(buffer, sizeof(buffer), &frame), -1);
	portal_frame_encode(buffer, PORTAL_FRAME_PIPE_DATA, 2, 0, 0, 32);
	assert_int_equal(portal_frame_decode(buffer, sizeof(buffer), &frame), -1);
}

static void padding_must_be_zero(void **state) {
	struct portal_frame frame;
	size_t size = portal_frame_encode(buffer, PORTAL_FRAME_PIPE_DATA, 0, 1, 0, 3);
	for (size_t at = 16 + 3; at < size; at++) {
		buffer[at] = 1;
		assert_int_equal(portal_frame_decode(buffer, size, &frame), -1);
		buffer[at] = 0;
	}
	assert_int_equal(portal_frame_decode(buffer, size, &frame), size);
}

static void zeros_are_no_frame(void **state) {
	struct portal_frame frame;
	memset(buffer, 0, 16);
	assert_int_equal(portal_frame_decode(buffer, 16, &frame), -1);
}

static void reasons_and_types_have_names(void **state) {
	assert_string_equal(portal_frame_type_name(PORTAL_FRAME_WAYLAND), "WAYLAND");
	assert_string_equal(portal_frame_type_name(7), "unknown");
	assert_string_equal(portal_frame_type_name(UINT32_MAX), "unknown");
	assert_string_equal(portal_bye_reason_name(PORTAL_BYE_QUOTA), "quota exceeded");
	assert_string_equal(portal_bye_reason_name(0), "unknown");
	assert_string_equal(portal_bye_reason_name(UINT32_MAX), "unknown");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_decoded_as_it_was_encoded),
		cmocka_unit_test(a_part_of_a_frame_waits_for_the_rest),
		cmocka_unit_test(the_largest_frame_is_64_kib),
		cmocka_unit_test(lengths_a_type_cannot_have_are_refused_from_the_header),
		cmocka_unit_test(types_and_flags_that_mean_nothing_are_refused),
		cmocka_unit_test(padding_must_be_zero),
		cmocka_unit_test(zeros_are_no_frame),
		cmocka_unit_test(reasons_and_types_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
