/* libvirt behind the manager, with libvirt's own test driver, which needs no daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libvirt/libvirt.h>

#include "base/must.h"
#include "descriptors.h"
#include "domain/change.h"
#include "domain/heap_plug.h"
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

static const char redefined[] =
	"<domain "
	"type='test'><name>mine</name><memory>8192</memory><os><type>hvm</type></os></domain>";

static char *get_definition(struct fixture *fixture, const char *name) {
	char *xml = NULL;
	assert_int_equal(
		domain_manager_get_definition(fixture->manager, name, &xml, &fixture->error), 0);
	return xml;
}

static void test_somebody_elses_change_is_not_lost(void **state) {
	struct fixture *fixture = *state;
	const struct domain_edit off = {.suspend_to_memory = DOMAIN_SWITCH_OFF};
	const struct domain_edit on = {.suspend_to_memory = DOMAIN_SWITCH_ON};
	assert_int_equal(domain_manager_define(fixture->manager, redefined, &fixture->error), 0);
	struct domain_change mine, theirs, again;
	assert_int_equal(
		domain_change_prepare(&mine, fixture->manager, "mine", &off, &fixture->error), 0);
	assert_int_equal(
		domain_change_prepare(&theirs, fixture->manager, "mine", &on, &fixture->error), 0);
	assert_int_equal(mine.token, theirs.token);
	assert_int_equal(
		domain_change_commit(&theirs, fixture->manager, "mine", &fixture->error), 0);
	assert_int_equal(domain_change_commit(&mine, fixture->manager, "mine", &fixture->error),
		DOMAIN_FAILURE_CHANGED);
	char *xml = get_definition(fixture, "mine");
	assert_non_null(strstr(xml, "<suspend-to-mem enabled='yes'/>"));
	free(xml);
	/* What is there already is no change. */
	assert_int_equal(
		domain_change_prepare(&again, fixture->manager, "mine", &on, &fixture->error), 0);
	assert_string_equal(again.diff, "");
	assert_int_not_equal(again.token, mine.token);
	domain_change_finish(&mine);
	domain_change_finish(&theirs);
	domain_change_finish(&again);
}

/* All connections of a process to the test driver's default machine see the same one. */
static void undefine(const char *name) {
	virConnectPtr connection = virConnectOpen("test:///default");
	virDomainPtr domain = virDomainLookupByName(connection, name);
	assert_int_equal(virDomainUndefine(domain), 0);
	virDomainFree(domain);
	virConnectClose(connection);
}

static void test_a_domain_that_another_one_took_the_place_of_is_not_changed(void **state) {
	struct fixture *fixture = *state;
	const struct domain_edit edit = {.suspend_to_memory = DOMAIN_SWITCH_OFF};
	struct domain_change change;
	assert_int_equal(domain_manager_define(fixture->manager, redefined, &fixture->error), 0);
	assert_int_equal(
		domain_change_prepare(&change, fixture->manager, "mine", &edit, &fixture->error),
		0);
	char *first = get_definition(fixture, "mine");
	undefine("mine");
	assert_int_equal(domain_change_commit(&change, fixture->manager, "mine", &fixture->error),
		DOMAIN_FAILURE_ABSENT);
	assert_int_equal(domain_manager_define(fixture->manager, redefined, &fixture->error), 0);
	char *second = get_definition(fixture, "mine");
	assert_string_not_equal(first, second); /* another uuid */
	assert_int_equal(domain_change_commit(&change, fixture->manager, "mine", &fixture->error),
		DOMAIN_FAILURE_CHANGED);
	free(first);
	free(second);
	domain_change_finish(&change);
}

static void test_who_may_only_look_is_told(void **state) {
	struct fixture *fixture = *state;
	struct domain_manager *viewer =
		domain_manager_create_viewer("test:///default", fixture->loop, &fixture->error);
	assert_non_null(viewer);
	const struct domain_edit edit = {.suspend_to_memory = DOMAIN_SWITCH_OFF};
	struct domain_change change;
	assert_int_equal(domain_change_prepare(&change, viewer, "test", &edit, &fixture->error), 0);
	assert_non_null(strstr(change.diff, "+    <suspend-to-mem enabled=\"no\"/>"));
	assert_int_equal(domain_change_commit(&change, viewer, "test", &fixture->error),
		DOMAIN_FAILURE_DENIED);
	domain_change_finish(&change);
	domain_manager_destroy(viewer);
}

static void test_an_edit_that_makes_no_sense_has_nothing_to_finish(void **state) {
	struct fixture *fixture = *state;
	const struct domain_pin pin = {99, "0"};
	const struct domain_edit edit = {.pins = &pin, .pins_count = 1};
	struct domain_change change;
	assert_int_equal(
		domain_change_prepare(&change, fixture->manager, "test", &edit, &fixture->error),
		DOMAIN_FAILURE_REFUSED);
	assert_null(change.diff);
	assert_int_equal(
		domain_change_prepare(&change, fixture->manager, "nobody", &edit, &fixture->error),
		DOMAIN_FAILURE_ABSENT);
	assert_null(change.diff);
}

static void test_all_domains_are_listed(void **state) {
	struct fixture *fixture = *state;
	struct strings names = {0};
	assert_int_equal(domain_manager_define(fixture->manager, redefined, &fixture->error), 0);
	assert_int_equal(domain_manager_list(fixture->manager, &names, &fixture->error), 0);
	assert_true(names.count >= 2);
	assert_true(strings_contain(&names, "mine"));
	assert_true(strings_contain(&names, "test"));
	strings_finish(&names);
}

static void test_domains_that_run_are_listed_as_they_were_started(void **state) {
	static const char *const order[] = {"zeta", "test", "alpha"};
	struct fixture *fixture = *state;
	struct domain_manager *manager = fixture->manager;
	assert_int_equal(domain_manager_kill(manager, "test", &fixture->error), 0);
	for (size_t i = 0; i < 3; i++) {
		struct strings names = {0};
		char *xml = must_print("<domain type='test'><name>%s</name><memory>65536</memory>"
				       "<os><type>hvm</type></os></domain>",
			order[i]);
		if (strcmp(order[i], "test") != 0) {
			assert_int_equal(domain_manager_define(manager, xml, &fixture->error), 0);
		}
		assert_int_equal(domain_manager_start(manager, order[i], &fixture->error), 0);
		assert_int_equal(domain_manager_list_by_start(manager, &names, &fixture->error), 0);
		for (size_t k = 0; k <= i; k++) {
			assert_string_equal(names.items[k], order[k]);
		}
		strings_finish(&names);
		free(xml);
	}
}

static void handle_unplugged(void *data, int result, const struct error *error) {
	fail_msg("nothing was to be unplugged");
}

static void test_heaps_do_not_come_to_domains_that_are_not_ready(void **state) {
	struct fixture *fixture = *state;
	const struct domain_peer peer = {
		.guest = "web", .heap = {DOMAIN_HEAP_IVSHMEM, "/dev/shm/web", 1 << 26}};
	struct heap_plug_place place;
	struct heap_unplug *unplug;
	assert_int_equal(
		heap_plug_attach(fixture->manager, "nobody", &peer, &place, &fixture->error),
		DOMAIN_FAILURE_ABSENT);
	assert_int_equal(heap_plug_attach(fixture->manager, "test", &peer, &place, &fixture->error),
		DOMAIN_FAILURE_REFUSED);
	assert_non_null(strstr(fixture->error.text, "without ports for heaps"));
	assert_int_equal(domain_manager_define(fixture->manager, redefined, &fixture->error), 0);
	assert_int_equal(heap_plug_attach(fixture->manager, "mine", &peer, &place, &fixture->error),
		DOMAIN_FAILURE_REFUSED);
	assert_string_equal(fixture->error.text, "mine does not run");
	assert_int_equal(heap_plug_detach(fixture->manager, "test", "web", 1000, handle_unplugged,
				 NULL, &unplug, &fixture->error),
		HEAP_PLUG_SAME);
	assert_null(unplug);
}

static void handle_timeout(int id, void *data) {
}

static void count_free(void *data) {
	++*(int *)data;
}

/* The last one: the process' loop has ended then, as that of portal-run --stop has. */
static void test_what_libvirt_lets_go_of_after_the_loops_end_is_freed(void **state) {
	struct fixture *fixture = *state;
	int freed = 0;
	int id = virEventAddTimeout(-1, handle_timeout, &freed, count_free);
	assert_true(id >= 0);
	assert_true(sd_event_exit(fixture->loop, 0) >= 0);
	assert_int_equal(sd_event_loop(fixture->loop), 0);
	assert_int_equal(virEventRemoveTimeout(id), 0);
	assert_int_equal(freed, 0); /* libvirt holds locks in there */
	domain_manager_destroy(fixture->manager);
	fixture->manager = NULL;
	assert_int_equal(freed, 1);
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
		cmocka_unit_test_setup_teardown(
			test_somebody_elses_change_is_not_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_domain_that_another_one_took_the_place_of_is_not_changed, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_who_may_only_look_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_an_edit_that_makes_no_sense_has_nothing_to_finish, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_domains_are_listed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_domains_that_run_are_listed_as_they_were_started, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_heaps_do_not_come_to_domains_that_are_not_ready, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_what_libvirt_lets_go_of_after_the_loops_end_is_freed, setup, teardown),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	/* The loop is the process's, as libvirt has one. */
	descriptors_keep_open();
	return failed;
}
