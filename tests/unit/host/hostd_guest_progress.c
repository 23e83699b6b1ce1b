/* When a guest's start or stop is over, in whatever order it is heard of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "hostd/guest_progress.h"
#include "hostd/hypervisor.h"

/* What is heard: libvirt's events, as letters, and 'a' or 'i' for its answer: done, or idle. */
static enum guest_verdict hear(bool start, int before, const char *story) {
	struct guest_progress progress = guest_progress_begin(start, before);
	enum guest_verdict verdict = GUEST_WAIT;
	for (const char *c = story; *c != '\0'; c++) {
		/* It is over once. */
		assert_int_equal(verdict, GUEST_WAIT);
		switch (*c) {
		case 'R':
			guest_progress_hear(&progress, DOMAIN_RUNNING);
			break;
		case 'P':
			guest_progress_hear(&progress, DOMAIN_PAUSED);
			break;
		case 'S':
			guest_progress_hear(&progress, DOMAIN_STOPPING);
			break;
		case 'O':
			guest_progress_hear(&progress, DOMAIN_OFF);
			break;
		case 'A':
			guest_progress_hear(&progress, DOMAIN_ABSENT);
			break;
		case '?':
			guest_progress_hear(&progress, HYPERVISOR_UNKNOWN);
			break;
		default:
			guest_progress_answer(&progress, *c == 'i');
			break;
		}
		verdict = guest_progress_verdict(&progress);
	}
	return verdict;
}

static void a_start_is_over_when_it_is_heard_to_run(void **state) {
	assert_int_equal(hear(true, DOMAIN_OFF, "aR"), GUEST_DONE);
	assert_int_equal(hear(true, DOMAIN_OFF, "Ra"), GUEST_DONE);
	assert_int_equal(hear(true, DOMAIN_PAUSED, "aR"), GUEST_DONE);
	assert_int_equal(hear(true, HYPERVISOR_UNKNOWN, "OaR"), GUEST_DONE);
	assert_int_equal(hear(true, DOMAIN_OFF, "R"), GUEST_WAIT);
	assert_int_equal(hear(true, DOMAIN_OFF, "a"), GUEST_WAIT);
	/* It paused, or was asked to shut down, before anybody heard that it ran. */
	assert_int_equal(hear(true, DOMAIN_OFF, "aP"), GUEST_DONE);
	assert_int_equal(hear(true, DOMAIN_OFF, "RPa"), GUEST_DONE);
}

static void a_state_of_before_is_no_start(void **state) {
	assert_int_equal(hear(true, DOMAIN_OFF, "aO"), GUEST_WAIT);
	assert_int_equal(hear(true, DOMAIN_OFF, "aOO?R"), GUEST_DONE);
	assert_int_equal(hear(true, DOMAIN_PAUSED, "P"), GUEST_WAIT);
	assert_int_equal(hear(true, DOMAIN_STOPPING, "SOaR"), GUEST_DONE);
}

static void a_guest_that_dies_at_once_was_not_started(void **state) {
	assert_int_equal(hear(true, DOMAIN_OFF, "ROa"), GUEST_DIED);
	assert_int_equal(hear(true, DOMAIN_OFF, "RSOa"), GUEST_DIED);
	assert_int_equal(hear(true, DOMAIN_OFF, "RAa"), GUEST_DIED);
	/* Somebody else brought it back. */
	assert_int_equal(hear(true, DOMAIN_OFF, "RORa"), GUEST_DONE);
}

static void a_stop_is_over_when_what_ran_is_heard_to_be_off(void **state) {
	assert_int_equal(hear(false, DOMAIN_RUNNING, "aO"), GUEST_DONE);
	assert_int_equal(hear(false, DOMAIN_RUNNING, "aSO"), GUEST_DONE);
	assert_int_equal(hear(false, DOMAIN_RUNNING, "Oa"), GUEST_DONE);
	assert_int_equal(hear(false, DOMAIN_PAUSED, "aA"), GUEST_DONE);
	assert_int_equal(hear(false, DOMAIN_RUNNING, "a"), GUEST_WAIT);
	assert_int_equal(hear(false, DOMAIN_RUNNING, "O"), GUEST_WAIT);
	/* It was started again before the order came to it. */
	assert_int_equal(hear(false, DOMAIN_RUNNING, "ORa"), GUEST_WAIT);
}

/* Somebody started it a moment ago, and nothing was heard of that. */
static void a_guest_that_was_not_heard_to_run_is_stopped_all_the_same(void **state) {
	assert_int_equal(hear(false, DOMAIN_OFF, "a"), GUEST_WAIT);
	assert_int_equal(hear(false, DOMAIN_OFF, "aO"), GUEST_WAIT);
	assert_int_equal(hear(false, DOMAIN_OFF, "aRO"), GUEST_DONE);
	assert_int_equal(hear(false, DOMAIN_OFF, "RaO"), GUEST_DONE);
	assert_int_equal(hear(false, DOMAIN_OFF, "ROa"), GUEST_DONE);
}

static void what_is_off_need_not_be_stopped(void **state) {
	assert_int_equal(hear(false, DOMAIN_OFF, "i"), GUEST_DONE);
	assert_int_equal(hear(false, DOMAIN_RUNNING, "i"), GUEST_DONE);
	assert_int_equal(hear(false, HYPERVISOR_UNKNOWN, "i"), GUEST_DONE);
}

/* All that can be heard of one life, in all orders in which that is possible: the answer is
 * libvirt's and comes between any two of the events, which are in order. */
static void every_order_ends_in_the_same(void **state) {
	static const struct {
		bool start;
		int before;
		const char *events;
		enum guest_verdict verdict;
	} stories[] = {
		{true, DOMAIN_OFF, "R", GUEST_DONE},
		{false, DOMAIN_RUNNING, "SO", GUEST_DONE},
		{false, DOMAIN_OFF, "RSO", GUEST_DONE},
		{false, DOMAIN_ABSENT, "RO", GUEST_DONE},
	};
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		size_t length = strlen(stories[i].events);
		for (size_t at = 0; at <= length; at++) {
			char story[16];
			snprintf(story, sizeof(story), "%.*sa%s", (int)at, stories[i].events,
				stories[i].events + at);
			assert_int_equal(hear(stories[i].start, stories[i].before, story),
				stories[i].verdict);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_is_over_when_it_is_heard_to_run),
		cmocka_unit_test(a_state_of_before_is_no_start),
		cmocka_unit_test(a_guest_that_dies_at_once_was_not_started),
		cmocka_unit_test(a_stop_is_over_when_what_ran_is_heard_to_be_off),
		cmocka_unit_test(a_guest_that_was_not_heard_to_run_is_stopped_all_the_same),
		cmocka_unit_test(what_is_off_need_not_be_stopped),
		cmocka_unit_test(every_order_ends_in_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
