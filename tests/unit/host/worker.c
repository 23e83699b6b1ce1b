#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "transaction/worker.h"

enum { PATIENT_MS = 30000, IMPATIENT_MS = 50 };

static int fail_with(void *data) {
	return *(int *)data;
}

static int wait_forever(void *data) {
	while (pause() != 0) {
	}
	return 0;
}

static int ignore_everything(void *data) {
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	return wait_forever(data);
}

static int crash(void *data) {
	raise(SIGKILL);
	return 0;
}

static void a_worker_reports_success_and_every_errno(void **state) {
	for (int error = 0; error < 134; error++) {
		struct worker_result result = worker_run(fail_with, &error, PATIENT_MS);
		assert_int_equal(result.state, error ? WORKER_FAILED : WORKER_DONE);
		assert_int_equal(result.error, error);
	}
}

static void a_worker_past_its_deadline_is_ended(void **state) {
	struct worker_result result = worker_run(wait_forever, NULL, IMPATIENT_MS);
	assert_int_equal(result.state, WORKER_TIMED_OUT);
	result = worker_run(ignore_everything, NULL, IMPATIENT_MS);
	assert_int_equal(result.state, WORKER_TIMED_OUT);
}

static void a_worker_that_dies_has_failed(void **state) {
	struct worker_result result = worker_run(crash, NULL, PATIENT_MS);
	assert_int_equal(result.state, WORKER_FAILED);
	assert_int_equal(result.error, EINTR);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_reports_success_and_every_errno),
		cmocka_unit_test(a_worker_past_its_deadline_is_ended),
		cmocka_unit_test(a_worker_that_dies_has_failed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
