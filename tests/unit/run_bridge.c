/* What portal-run takes from a bridge, whose answers come from a process that reads a guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bridge.h"

static sd_json_variant *parse(const char *text) {
	sd_json_variant *object = NULL;
	assert_true(sd_json_parse(text, 0, &object, NULL, NULL) >= 0);
	return object;
}

static void a_state_is_read(void **state) {
	sd_json_variant *object = parse("{\"state\": \"waiting\", \"problem\": \"key\", "
					"\"message\": \"the other end has another key\", "
					"\"windows\": 3, \"programs\": 1}");
	struct bridge_state read;
	assert_true(bridge_state_read(&read, object));
	assert_false(read.ready);
	assert_string_equal(read.problem, "key");
	assert_string_equal(read.message, "the other end has another key");
	assert_int_equal(read.windows, 3);
	assert_int_equal(read.programs, 1);
	sd_json_variant_unref(object);
	object = parse("{\"state\": 1}");
	assert_false(bridge_state_read(&read, object));
	sd_json_variant_unref(object);
}

/* They are printed to a terminal. */
static void its_words_are_one_line_that_no_terminal_obeys(void **state) {
	sd_json_variant *object = parse("{\"state\": \"waiting\", "
					"\"message\": \"gone\\u001b]0;x\\u0007\\nportal-run: "
					"\\u202eok\\u007f\"}");
	struct bridge_state read;
	assert_true(bridge_state_read(&read, object));
	assert_string_equal(read.message, "gone?]0;x??portal-run: ???ok?");
	char text[8];
	bridge_copy_text(text, sizeof(text), object, "message");
	assert_string_equal(text, "gone?]0");
	bridge_copy_text(text, sizeof(text), object, "other");
	assert_string_equal(text, "");
	sd_json_variant_unref(object);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_is_read),
		cmocka_unit_test(its_words_are_one_line_that_no_terminal_obeys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
