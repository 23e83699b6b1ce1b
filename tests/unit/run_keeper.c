/* What portal-run makes of the reason that a keeper has written down, before any program ran. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge-status.h"
#include "keeper.h"
#include "paths.h"
#include "status.h"

static void each_reason_has_its_status(void **state) {
	static const struct {
		const char *what;
		int number, status;
	} reasons[] = {
		{"bridge exited", BRIDGE_DONE, RUN_BRIDGE},
		{"bridge exited", BRIDGE_FAILURE, RUN_BRIDGE},
		{"bridge exited", BRIDGE_COMPOSITOR, RUN_NO_COMPOSITOR},
		{"bridge exited", BRIDGE_UNREACHABLE, RUN_AGENT_SILENT},
		{"bridge exited", BRIDGE_VIOLATION, RUN_VIOLATION},
		{"bridge exited", BRIDGE_KEY, RUN_KEY},
		{"bridge exited", BRIDGE_VERSION, RUN_VERSION},
		{"bridge exited", BRIDGE_HEAP, RUN_HEAP},
		{"bridge killed", 11, RUN_BRIDGE},
		{"bridge missing", 2, RUN_BRIDGE},
		{"agent missing", 2, RUN_AGENT},
		{"agent exited", 1, RUN_AGENT},
		{"agent killed", 9, RUN_AGENT},
		/* It ended while its agent was awaited, whoever heard of that first. */
		{"domain off", 0, RUN_DOMAIN},
		/* A keeper that was killed has written nothing. */
		{"", 0, RUN_BRIDGE},
	};
	char directory[] = "/tmp/portal-keeper-XXXXXX";
	struct guest_paths paths;
	assert_non_null(mkdtemp(directory));
	assert_int_equal(setenv("XDG_RUNTIME_DIR", directory, 1), 0);
	assert_int_equal(guest_paths_init(&paths, "web"), RUN_OK);
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		FILE *file = fopen(paths.state, "w");
		assert_non_null(file);
		if (reasons[i].what[0] != '\0') {
			fprintf(file, "%s %d\n", reasons[i].what, reasons[i].number);
		}
		assert_int_equal(fclose(file), 0);
		assert_int_equal(keeper_explain(&paths, "web"), reasons[i].status);
	}
	unlink(paths.state);
	rmdir(paths.directory);
	rmdir(directory);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reason_has_its_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
