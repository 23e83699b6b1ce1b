#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/json.h"
#include "utf8.h"

static void assert_whole(const char *text, const char *expected) {
	char copy[64];
	snprintf(copy, sizeof(copy), "%s", text);
	assert_int_equal(utf8_is_whole(text), strcmp(text, expected) == 0);
	utf8_make_whole(copy);
	assert_string_equal(copy, expected);
}

static void what_is_whole_stays(void **state) {
	static const char *const texts[] = {"", "a", "Köln", "\xe2\x82\xac 5", "\xf0\x9f\x96\xa5",
		"\x7f", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_whole(texts[i], texts[i]);
	}
}

static void what_was_cut_off_becomes_question_marks(void **state) {
	assert_whole("K\xc3", "K?");
	assert_whole("5 \xe2\x82", "5 ??");
	assert_whole("\xf0\x9f\x96", "???");
	assert_whole("\xe2\x82"
		     "a",
		"??a");
}

static void so_does_what_is_no_character(void **state) {
	assert_whole("\x80"
		     "a\xff",
		"?a?");
	assert_whole("\xc0\xaf", "??"); /* a slash, too long */
	assert_whole("\xe0\x80\xaf", "???");
	assert_whole("\xed\xa0\x80", "???"); /* half of a pair of UTF-16 */
	assert_whole("\xf4\x90\x80\x80", "????"); /* beyond the last */
}

static void what_steers_a_terminal_is_not_shown_to_it(void **state) {
	char text[] = "a\x1b[2J\n\x7f K\xc3\xb6ln \xc2\x9b\xc2\xa0\xff";
	utf8_make_printable(text);
	assert_string_equal(text, "a?[2J?? K\xc3\xb6ln ??\xc2\xa0?");
}

/* A process has the name that it gives itself, and the daemon says who has a device open. */
static void a_name_that_is_no_text_is_a_text_in_json(void **state) {
	sd_json_variant *object = NULL, *names = json_array();
	char *text = NULL;
	json_set_string(&object, "name", "bad\xff\xfe");
	json_append_string(&names, "\xc3");
	json_set(&object, "names", names);
	assert_true(sd_json_variant_format(object, 0, &text) >= 0);
	assert_string_equal(text, "{\"name\":\"bad??\",\"names\":[\"?\"]}");
	free(text);
	sd_json_variant_unref(object);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_whole_stays),
		cmocka_unit_test(what_was_cut_off_becomes_question_marks),
		cmocka_unit_test(so_does_what_is_no_character),
		cmocka_unit_test(what_steers_a_terminal_is_not_shown_to_it),
		cmocka_unit_test(a_name_that_is_no_text_is_a_text_in_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
