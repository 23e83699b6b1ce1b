/* libvirt behind the manager, with libvirt's own test driver, which needs no daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "domain/manager.h"

struct fixture {
	sd_event *loop;
	struct domain_manager *manager;
	struct error error;
	char name[64];
	enum domain_state last;
	int changes;
};

static void handle_change(void *data, const char *name, enum domain_state state) {
	struct fixture *fixture = data;
	strncpy(fixture->name, name, sizeof(fixture->name) - 1);
	fixture->last = state;
	fixture->changes++;
}

static int setup(void **state) {
	static struct fixture fixture;
	sd_event *loop = fixture.loop;
	fixture = (struct fixture){.loop = loop};
	/* One loop for the process, as libvirt has one. */
	if (loop == NULL) {
		assert_true(sd_event_new(&fixture.loop) >= 0);
	}
	fixture.manager = domain_manager_create(
		"test:///default", fixture.loop, handle_change, &fixture, &fixture.error);
	assert_non_null(fixture.manager);
	*state = &fixture;
	return 0;
}

static int teardown(void **state) {
	struct fixture *fixture = *state;
	domain_manager_destroy(fixture->manager);
	return 0;
}

/* Runs the loop until a change of state came. */
static void wait_for_change(struct fixture *fixture) {
	while (fixture->changes == 0) {
		assert_true(sd_event_run(fixture->loop, UINT64_MAX) >= 0);
	}
	fixture->changes = 0;
}

static enum domain_state get_state(struct fixture *fixture, const char *name) {
	enum domain_state state;
	assert_int_equal(
		domain_manager_get_state(fixture->manager, name, &state, &fixture->error), 0);
	return state;
}

static void test_a_domain_stops_and_starts_with_events(void **state) {
	struct fixture *fixture = *state;
	assert_int_equal(get_state(fixture, "test"), DOMAIN_RUNNING);
	assert_int_equal(domain_manager_start(fixture->manager, "test", &fixture->error), 0);

	assert_int_equal(domain_manager_shutdown(fixture->manager, "test", &fixture->error), 0);
	wait_for_change(fixture);
	assert_string_equal(fixture->name, "test");
	assert_int_equal(fixture->last, DOMAIN_OFF);
	assert_int_equal(get_state(fixture, "test"), DOMAIN_OFF);

	assert_int_equal(domain_manager_start(fixture->manager, "test", &fixture->error), 0);
	wait_for_change(fixture);
	assert_int_equal(fixture->last, DOMAIN_RUNNING);

	assert_int_equal(domain_manager_kill(fixture->manager, "test", &fixture->error), 0);
	wait_for_change(fixture);
	assert_int_equal(fixture->last, DOMAIN_OFF);
}

static void test_a_domain_that_is_not_there_is_told_apart(void **state) {
	struct fixture *fixture = *state;
	char *xml = NULL;
	assert_int_equal(get_state(fixture, "nobody"), DOMAIN_ABSENT);
	assert_int_equal(domain_manager_start(fixture->manager, "nobody", &fixture->error),
		DOMAIN_FAILURE_ABSENT);
	assert_int_equal(domain_manager_shutdown(fixture->manager, "nobody", &fixture->error),
		DOMAIN_FAILURE_ABSENT);
	assert_int_equal(domain_manager_kill(fixture->manager, "nobody", &fixture->error),
		DOMAIN_FAILURE_ABSENT);
	assert_int_equal(
		domain_manager_get_xml(fixture->manager, "nobody", false, &xml, &fixture->error),
		DOMAIN_FAILURE_ABSENT);
	assert_null(xml);
}

static void test_a_definition_is_validated_and_read_back(void **state) {
	struct fixture *fixture = *state;
	assert_int_equal(domain_manager_define(fixture->manager,
				 "<domain type='test'><name>new</name><memory>8192</memory>"
				 "<os><type>hvm</type></os></domain>",
				 &fixture->error),
		0);
	assert_int_equal(get_state(fixture, "new"), DOMAIN_OFF);
	char *xml = NULL;
	assert_int_equal(
		domain_manager_get_xml(fixture->manager, "new", false, &xml, &fixture->error), 0);
	assert_non_null(strstr(xml, "<name>new</name>"));
	free(xml);
	assert_int_equal(domain_manager_define(fixture->manager,
				 "<domain type='test'><name>bad</name><memory>8192</memory>"
				 "<nonsense/><os><type>hvm</type></os></domain>",
				 &fixture->error),
		DOMAIN_FAILURE_REFUSED);
	assert_non_null(strstr(fixture->error.text, "XML"));
}

static void test_a_libvirt_that_is_not_there_is_told(void **state) {
	struct fixture *fixture = *state;
	struct error error = {0};
	assert_null(domain_manager_create(
		"qemu+unix:///system?socket=/nowhere/libvirt", fixture->loop, NULL, NULL, &error));
	assert_string_not_equal(error.text, "");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_domain_stops_and_starts_with_events, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_domain_that_is_not_there_is_told_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_definition_is_validated_and_read_back, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_libvirt_that_is_not_there_is_told, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
