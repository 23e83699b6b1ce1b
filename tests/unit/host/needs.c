#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "heap/start_needs.h"

#define CHANNEL                                                                                    \
	"<channel type='unix'><source mode='connect' path='%s/%s'/>"                               \
	"<target type='virtio' name='org.portal.guest.%s'/></channel>"

static void what_cannot_be_made_does_not_keep_the_rest_from_being_made(void **state) {
	char directory[] = "/tmp/host-needs-XXXXXX", xml[2048], path[64], heap[64];
	struct strings problems = {0};
	struct stat status;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/mail", directory);
	snprintf(heap, sizeof(heap), "%s/heap", directory);
	snprintf(xml, sizeof(xml),
		"<domain><name>work</name><devices>" CHANNEL CHANNEL
		"<memory model='nvdimm' access='shared'><source><path>%s</path></source>"
		"<target><size unit='MiB'>16</size></target><alias name='ua-portal-heap-fox'/>"
		"</memory></devices></domain>",
		"/nonexistent", "fox", "fox", directory, "mail", "mail", heap);
	assert_int_equal(start_needs_make(xml, &problems), -1);
	assert_int_equal(problems.count, 1);
	assert_string_equal(
		problems.items[0], "the channel /nonexistent/fox: No such file or directory");
	assert_int_equal(lstat(path, &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
	assert_int_equal(lstat(heap, &status), 0);
	assert_int_equal(status.st_size, 16 << 20);
	/* What is there already is no problem, and no definition is one. */
	assert_int_equal(start_needs_make("<domain", &problems), -1);
	assert_int_equal(problems.count, 2);
	assert_int_equal(start_needs_make("<domain/>", &problems), 0);
	strings_finish(&problems);
	unlink(path);
	unlink(heap);
	assert_int_equal(rmdir(directory), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_made_does_not_keep_the_rest_from_being_made),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
