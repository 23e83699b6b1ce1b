#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "setup/words.h"

static void words_are_added_once_and_inside_quotes(void **state) {
	static const char *const cases[][2] = {
		{"X=\"\"", "X=\"a=1 b\""},
		{"X=\"q\"", "X=\"q a=1 b\""},
		{"X='q b'  ", "X='q b a=1'  "},
		{"X=", "X=\"a=1 b\""},
		{"X=q", "X=\"q a=1 b\""},
		{"X=\"q\" # a=1 was here", "X=\"q a=1 b\" # a=1 was here"},
		/* It goes on in the next line. */
		{"X=\"q", "X=\"a=1 b q"},
		{"options q ", "options q a=1 b"},
		{"\t X=\"q\"", "\t X=\"q a=1 b\""},
		{"options q a=1", "options q a=1 b"},
		{"options a=12 bb", "options a=12 bb a=1 b"},
	};
	struct strings words = {0};
	strings_add(&words, "a=1");
	strings_add(&words, "b");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *line = words_add(cases[i][0], &words);
		assert_string_equal(line, cases[i][1]);
		free(line);
	}
	strings_finish(&words);
}

static void texts_are_the_same_whatever_blanks_are_around_their_words(void **state) {
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{"", "", true},
		{"", " \t", true},
		{"a b\nc\n", "  a \t b  \n\tc\n", true},
		{"a\n\nb", "a \n \n b", true},
		{"a b", "ab", false},
		{"a b", "a\nb", false},
		{"a\nb", "a\n\nb", false},
		{"a b", "a b c", false},
		{"a", "a\n", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(words_same(cases[i].a, cases[i].b), cases[i].same);
		assert_int_equal(words_same(cases[i].b, cases[i].a), cases[i].same);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_added_once_and_inside_quotes),
		cmocka_unit_test(texts_are_the_same_whatever_blanks_are_around_their_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
