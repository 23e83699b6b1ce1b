/* The definition of org.portal.Bridge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge-varlink.h"

static void test_the_interface_survives_being_printed_and_parsed(void **state) {
	char *text = NULL, *again = NULL;
	assert_true(sd_varlink_idl_format(&vl_interface_org_portal_Bridge, &text) >= 0);
	sd_varlink_interface *parsed = NULL;
	unsigned line = 0, column = 0;
	assert_true(sd_varlink_idl_parse(text, &line, &column, &parsed) >= 0);
	assert_true(sd_varlink_idl_format(parsed, &again) >= 0);
	assert_string_equal(text, again);
	assert_non_null(strstr(text, "method Launch("));
	assert_non_null(strstr(text, "error LaunchFailed(\n\terrno: int\n)"));
	sd_varlink_interface_free(parsed);
	free(again);
	free(text);
}

static void test_a_server_accepts_the_interface(void **state) {
	sd_varlink_server *server = NULL;
	assert_true(sd_varlink_server_new(&server, 0) >= 0);
	assert_true(sd_varlink_server_add_interface(server, &vl_interface_org_portal_Bridge) >= 0);
	sd_varlink_server_unref(server);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_interface_survives_being_printed_and_parsed),
		cmocka_unit_test(test_a_server_accepts_the_interface),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
