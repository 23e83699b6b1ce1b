/* What the bridge's log says, and how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"

/* Standard error is a file while a test runs. */
struct fixture {
	struct bridge_log log;
	FILE *file;
	int saved;
	char text[8192];
};

static int setup(void **state) {
	struct fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	unsetenv("JOURNAL_STREAM");
	bridge_log_init(&f->log, "vm");
	f->file = tmpfile();
	f->saved = dup(STDERR_FILENO);
	dup2(fileno(f->file), STDERR_FILENO);
	*state = f;
	return 0;
}

static int teardown(void **state) {
	struct fixture *f = *state;
	dup2(f->saved, STDERR_FILENO);
	close(f->saved);
	fclose(f->file);
	free(f);
	return 0;
}

/* What was logged since the last time. */
static const char *logged(struct fixture *f) {
	rewind(f->file);
	size_t size = fread(f->text, 1, sizeof(f->text) - 1, f->file);
	f->text[size] = '\0';
	rewind(f->file);
	assert_int_equal(ftruncate(fileno(f->file), 0), 0);
	return f->text;
}

static size_t count_lines(const char *text) {
	size_t lines = 0;
	for (; *text != '\0'; text++) {
		lines += *text == '\n';
	}
	return lines;
}

static void test_a_line_names_the_vm(void **state) {
	struct fixture *f = *state;
	bridge_log(&f->log, LOG_ERR, "a %s of %d", "thing", 3);
	assert_string_equal(logged(f), "portal-bridge[vm]: a thing of 3\n");
	f->log.journal = true;
	bridge_log(&f->log, LOG_ERR, "wrong");
	assert_string_equal(logged(f), "<3>portal-bridge[vm]: wrong\n");
}

static void test_what_holds_for_all_attempts_is_said_by_the_first(void **state) {
	struct fixture *f = *state;
	bridge_log_once(&f->log, LOG_WARNING, "no Landlock");
	assert_string_equal(logged(f), "portal-bridge[vm]: no Landlock\n");
	f->log.again = true;
	bridge_log_once(&f->log, LOG_WARNING, "no Landlock");
	assert_string_equal(logged(f), "");
}

static void test_a_guest_cannot_fill_the_log(void **state) {
	struct fixture *f = *state;
	for (int minute = 5; minute < 7; minute++) {
		for (uint64_t i = 0; i < 1000; i++) {
			bridge_log_guest(&f->log, (uint64_t)minute * 60 + i % 60, LOG_WARNING,
				"connection %u was cut", (unsigned int)i);
		}
		const char *text = logged(f);
		assert_int_equal(count_lines(text), BRIDGE_LOG_LINES + 1);
		assert_non_null(strstr(text, "connection 29 was cut\n"));
		assert_null(strstr(text, "connection 30 was cut\n"));
		assert_non_null(strstr(text, "more of the guest's doing is left out for a minute"));
	}
	/* What is not its doing is said at any time. */
	bridge_log(&f->log, LOG_ERR, "the compositor went away");
	assert_int_equal(count_lines(logged(f)), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		T(test_a_line_names_the_vm),
		T(test_what_holds_for_all_attempts_is_said_by_the_first),
		T(test_a_guest_cannot_fill_the_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
