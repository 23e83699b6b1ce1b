#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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

static const struct domain_dac nobody; /* QEMU is whoever calls */

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
	assert_int_equal(start_needs_make(xml, &nobody, &problems), START_NEEDS_LACK);
	assert_int_equal(problems.count, 1);
	assert_string_equal(
		problems.items[0], "the channel /nonexistent/fox: No such file or directory");
	assert_int_equal(lstat(path, &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
	assert_int_equal(lstat(heap, &status), 0);
	assert_int_equal(status.st_size, 16 << 20);
	/* What is there already is no problem, and no definition is one. */
	assert_int_equal(start_needs_make("<domain", &nobody, &problems), START_NEEDS_LACK);
	assert_int_equal(problems.count, 2);
	assert_int_equal(start_needs_make("<domain/>", &nobody, &problems), 0);
	strings_finish(&problems);
	unlink(path);
	unlink(heap);
	assert_int_equal(rmdir(directory), 0);
}

/* A definition with one heap at path: the guest's own, or a controller's of the guest mail. */
static const char *define(const char *path, bool own, char xml[2048]) {
	snprintf(xml, 2048,
		"<domain><name>work</name><devices>"
		"<memory model='nvdimm' access='shared'><source><path>%s</path></source>"
		"<target><size unit='MiB'>8</size></target><alias name='ua-portal-heap%s'/>"
		"</memory></devices></domain>",
		path, own ? "" : "-mail");
	return xml;
}

static int make(const char *path, bool own, const struct domain_dac *dac, char **problem) {
	char xml[2048];
	struct strings problems = {0};
	int result = start_needs_make(define(path, own, xml), dac, &problems);
	*problem = problems.count > 0 ? strdup(problems.items[0]) : NULL;
	strings_finish(&problems);
	return result;
}

/* Any local user can make a file of a name that he knows, in the right size, before a guest is
 * started; and a controller that starts before the guest would have him see the windows. */
static void a_heap_that_another_user_has_planted_is_refused(void **state) {
	char path[] = "/tmp/host-needs-XXXXXX", *problem;
	const struct domain_dac qemu = {true, 64055, 64055};
	int fd = mkstemp(path);
	if (geteuid() != 0) {
		skip();
	}
	for (int own = 0; own < 2; own++) {
		assert_int_equal(ftruncate(fd, 8 << 20), 0);
		assert_int_equal(chown(path, 64057, 64057), 0);
		assert_int_equal(make(path, own, &qemu, &problem), START_NEEDS_REFUSED);
		assert_non_null(strstr(problem, path));
		assert_non_null(strstr(problem, "it belongs to user 64057"));
		assert_non_null(strstr(problem, "remove it"));
		free(problem);
		/* root's, and QEMU's, are no others'. */
		assert_int_equal(chown(path, 0, 0), 0);
		assert_int_equal(make(path, own, &qemu, &problem), START_NEEDS_DONE);
		assert_int_equal(make(path, own, &qemu, &problem), START_NEEDS_DONE);
		/* Of another size, and held open, it is no less planted. */
		assert_int_equal(ftruncate(fd, 1 << 20), 0);
		assert_int_equal(chown(path, 64057, 64057), 0);
		assert_int_equal(make(path, own, &qemu, &problem), START_NEEDS_REFUSED);
		free(problem);
	}
	close(fd);
	unlink(path);
}

/* QEMU makes one that is missing, for everybody to read. */
static void a_heap_that_everybody_may_read_is_made_anew_unless_a_guest_runs_with_it(void **state) {
	char path[] = "/tmp/host-needs-XXXXXX", *problem;
	int fd = mkstemp(path);
	struct stat status;
	assert_int_equal(ftruncate(fd, 8 << 20), 0);
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_int_equal(make(path, false, &nobody, &problem), START_NEEDS_REFUSED);
	assert_non_null(strstr(problem, "others than its owner may open it (mode 644)"));
	free(problem);
	close(fd);
	assert_int_equal(make(path, false, &nobody, &problem), START_NEEDS_DONE);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(status.st_size, 8 << 20);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(make(path, true, &nobody, &problem), START_NEEDS_DONE);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	unlink(path);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_made_does_not_keep_the_rest_from_being_made),
		cmocka_unit_test(a_heap_that_another_user_has_planted_is_refused),
		cmocka_unit_test(
			a_heap_that_everybody_may_read_is_made_anew_unless_a_guest_runs_with_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
