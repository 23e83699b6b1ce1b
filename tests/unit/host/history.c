#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "memory/history.h"

static const uint64_t mib = 1024 * 1024, gib = 1024 * 1024 * 1024;

enum { DAY = 24 * 3600, WEEK = 7 * DAY };

static void a_percentile_covers_the_use_for_that_share_of_the_time(void **state) {
	struct history history = {0};
	time_t now = 1700000000;
	/* Of a hundred minutes, ninety at 100 MiB and ten at 700 MiB. */
	for (int i = 0; i < 100; i++) {
		history_add(&history, "web", i % 10 == 9 ? 700 * mib : 100 * mib,
			HISTORY_SINCE_LAST, now, WEEK);
		now += 60;
	}
	const struct history_guest *guest = history_find(&history, "web");
	uint64_t usual = history_percentile(guest, 85), high = history_percentile(guest, 95);
	assert_uint_in_range(usual, 100 * mib, 119 * mib);
	assert_uint_in_range(high, 700 * mib, 833 * mib);
	assert_int_equal(guest->peak, 700 * mib);
	assert_null(history_find(&history, "mail"));
	history_finish(&history);
}

static void what_was_long_ago_fades(void **state) {
	struct history history = {0};
	time_t now = 1700000000;
	for (int i = 0; i < 600; i++) {
		history_add(&history, "web", gib, HISTORY_SINCE_LAST, now += 60, DAY);
	}
	now += 20 * DAY;
	for (int i = 0; i < 60; i++) {
		history_add(&history, "web", 10 * mib, HISTORY_SINCE_LAST, now += 60, DAY);
	}
	const struct history_guest *guest = history_find(&history, "web");
	assert_uint_in_range(history_percentile(guest, 95), 10 * mib, 12 * mib);
	assert_int_equal(guest->peak, gib);
	/* A clock that was set back neither revives nor erases anything. */
	history_add(&history, "web", 10 * mib, HISTORY_SINCE_LAST, now - 100 * DAY, DAY);
	assert_uint_in_range(history_percentile(guest, 95), 10 * mib, 12 * mib);
	assert_int_equal(guest->updated, now);
	history_finish(&history);
}

static void a_history_survives_its_file(void **state) {
	char path[] = "/tmp/host-history-XXXXXX";
	close(mkstemp(path));
	struct history history = {0}, again;
	struct error error = {""};
	for (int i = 0; i < 500; i++) {
		history_add(&history, "web", (uint64_t)i * 7 * mib, HISTORY_SINCE_LAST,
			1700000000 + i * 60, WEEK);
		history_add(&history, "mail box", (uint64_t)i * 1000, HISTORY_SINCE_LAST,
			1700000000 + i * 60, WEEK);
	}
	assert_int_equal(history_save(&history, path, &error), 0);
	assert_int_equal(history_load(&again, path, &error), 0);
	assert_int_equal(again.count, 2);
	for (unsigned percent = 1; percent <= 100; percent++) {
		for (size_t i = 0; i < 2; i++) {
			assert_int_equal(history_percentile(&again.guests[i], percent),
				history_percentile(&history.guests[i], percent));
		}
	}
	history_finish(&again);
	history_finish(&history);
	static const char *const corrupt[] = {
		"guest a {\n weight 65 1\n}\n",
		"guest a {\n weight 1 nan\n}\n",
		"guest a {\n weight 1 -1\n}\n",
		"guest a {\n peak many\n}\n",
		"guest a {\n}\nguest a {\n}\n",
		"ghost a {\n}\n",
		"guest a {\n",
	};
	for (size_t i = 0; i < sizeof(corrupt) / sizeof(corrupt[0]); i++) {
		FILE *file = fopen(path, "w");
		fputs(corrupt[i], file);
		fclose(file);
		assert_int_equal(history_load(&history, path, &error), -1);
		assert_non_null(strstr(error.text, path));
	}
	unlink(path);
	assert_int_equal(history_load(&history, path, &error), 0);
	assert_int_equal(history.count, 0);
}

static void a_report_stands_for_the_time_since_the_last_one(void **state) {
	struct history history = {0};
	time_t now = 1700000000;
	history_add(&history, "web", 100 * mib, HISTORY_SINCE_LAST, now, WEEK);
	history_add(&history, "web", 100 * mib, HISTORY_SINCE_LAST, now += 1800, WEEK);
	/* A thousand at once are no more than one. */
	for (int i = 0; i < 1000; i++) {
		history_add(&history, "web", gib, HISTORY_SINCE_LAST, now, WEEK);
	}
	assert_uint_in_range(
		history_percentile(history_find(&history, "web"), 99), 100 * mib, 119 * mib);
	/* Of a week of silence an hour counts. */
	history_add(&history, "web", 500 * mib, HISTORY_SINCE_LAST, now += WEEK, WEEK);
	assert_uint_in_range(
		history_percentile(history_find(&history, "web"), 20), 100 * mib, 119 * mib);
	assert_uint_in_range(
		history_percentile(history_find(&history, "web"), 50), 500 * mib, 595 * mib);
	history_finish(&history);
	/* A session of five minutes after a night is five minutes. */
	history_add(&history, "mail", 100 * mib, 1800, now, WEEK);
	history_add(&history, "mail", gib, 300, now + DAY / 2, WEEK);
	assert_uint_in_range(
		history_percentile(history_find(&history, "mail"), 80), 100 * mib, 119 * mib);
	history_finish(&history);
}

static void reports_at_the_same_time_are_all_kept(void **state) {
	enum { REPORTERS = 8, REPORTS = 10 };
	char directory[] = "/tmp/host-record-XXXXXX", path[64], lock[72];
	struct error error = {""};
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/use.scfg", directory);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	for (int i = 0; i < REPORTERS; i++) {
		if (fork() == 0) {
			char name[16];
			int status = 0;
			for (int k = 0; k < REPORTS && status == 0; k++) {
				snprintf(name, sizeof(name), "g%d-%d", i, k);
				status = history_record(path, name, 7 * mib, 60, WEEK, &error);
			}
			_exit(status == 0 ? 0 : 1);
		}
	}
	for (int i = 0; i < REPORTERS; i++) {
		int status;
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	struct history history;
	assert_int_equal(history_load(&history, path, &error), 0);
	assert_int_equal(history.count, REPORTERS * REPORTS);
	history_finish(&history);
	unlink(path);
	unlink(lock);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(history_record(path, "web", mib, 60, WEEK, &error), -1);
	assert_non_null(strstr(error.text, "use.scfg.lock: No such file"));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_percentile_covers_the_use_for_that_share_of_the_time),
		cmocka_unit_test(what_was_long_ago_fades),
		cmocka_unit_test(a_history_survives_its_file),
		cmocka_unit_test(a_report_stands_for_the_time_since_the_last_one),
		cmocka_unit_test(reports_at_the_same_time_are_all_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
