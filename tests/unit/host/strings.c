#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strings.h"

/* A letter each. */
static struct strings make(const char *letters) {
	struct strings strings = {0};
	for (size_t i = 0; i < strlen(letters); i++) {
		strings_add(&strings, (char[]){letters[i], '\0'});
	}
	return strings;
}

/* Finishes it. */
static void assert_is(struct strings *strings, const char *letters) {
	assert_int_equal(strings->count, strlen(letters));
	for (size_t i = 0; i < strings->count; i++) {
		assert_string_equal(strings->items[i], ((char[]){letters[i], '\0'}));
	}
	strings_finish(strings);
}

static void what_is_removed_is_gone_and_the_others_keep_their_order(void **state) {
	static const char *const cases[][3] = {
		{"", "a", ""},
		{"a", "a", ""},
		{"aaa", "a", ""},
		{"abc", "a", "bc"},
		{"cba", "b", "ca"},
		{"abc", "c", "ab"},
		{"abac", "a", "bc"},
		{"abc", "d", "abc"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct strings strings = make(cases[i][0]);
		strings_remove(&strings, cases[i][1]);
		assert_is(&strings, cases[i][2]);
	}
}

static void all_of_another_list_are_removed_at_once(void **state) {
	static const char *const cases[][3] = {
		{"", "", ""},
		{"", "ab", ""},
		{"abc", "", "abc"},
		{"abc", "ca", "b"},
		{"abcab", "bb", "aca"},
		{"ab", "xaby", ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct strings strings = make(cases[i][0]), others = make(cases[i][1]);
		strings_remove_all(&strings, &others);
		assert_is(&strings, cases[i][2]);
		assert_is(&others, cases[i][1]);
	}
}

/* Its room is known by its count alone. */
static void a_list_grows_again_after_something_was_removed(void **state) {
	for (size_t removed = 0; removed <= 9; removed++) {
		struct strings strings = make("aaaaaaaaa"), others = {0};
		for (size_t i = 0; i < removed; i++) {
			strings.items[i][0] = 'b';
		}
		strings_add(&others, "b");
		strings_remove_all(&strings, &others);
		for (size_t i = 0; i < removed; i++) {
			strings_add(&strings, "c");
		}
		strings_add(&strings, "d");
		assert_string_equal(strings.items[strings.count - 1], "d");
		strings_remove(&strings, "c");
		strings_remove(&strings, "d");
		assert_is(&strings, &"aaaaaaaaa"[removed]);
		strings_finish(&others);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_removed_is_gone_and_the_others_keep_their_order),
		cmocka_unit_test(all_of_another_list_are_removed_at_once),
		cmocka_unit_test(a_list_grows_again_after_something_was_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
