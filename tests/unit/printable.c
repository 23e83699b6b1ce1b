#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "printable.h"

static void every_byte_that_is_not_printable_becomes_a_question_mark(void **state) {
	for (int byte = 0; byte < 256; byte++) {
		const char text[] = {'a', (char)byte, 'z'};
		const char shown = byte >= 0x20 && byte <= 0x7e ? (char)byte : '?';
		char copy[4];
		portal_printable_copy(copy, sizeof(copy), text, sizeof(text));
		assert_memory_equal(copy, ((char[]){'a', shown, 'z', '\0'}), 4);
		assert_int_equal(portal_printable_is(text, sizeof(text)), shown == (char)byte);
	}
	assert_true(portal_printable_is("", 0));
}

static void what_there_is_no_room_for_is_cut_off(void **state) {
	char copy[] = "xxxxxxxx";
	portal_printable_copy(copy, 4, "abcd\n", 5);
	assert_memory_equal(copy, "abc\0xxxx", sizeof(copy));
	portal_printable_copy(copy, 1, "abcd", 4);
	assert_memory_equal(copy, "\0bc\0xxxx", sizeof(copy));
}

static void a_text_can_be_copied_over_itself(void **state) {
	char text[] = "one\nline\x1b[1m";
	portal_printable_copy(text, sizeof(text), text, strlen(text));
	assert_string_equal(text, "one?line?[1m");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_that_is_not_printable_becomes_a_question_mark),
		cmocka_unit_test(what_there_is_no_room_for_is_cut_off),
		cmocka_unit_test(a_text_can_be_copied_over_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
