/* The file that --define adds a new guest's block to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "status.h"
#include "vm_block.h"

#define NOBODY 65534
#define BLOCK "vm web {\n\tlabel \"web\" \"#808080\"\n}\n"

struct files {
	char directory[32], found[64], own[96];
};

static void write_text(const char *path, const char *text) {
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void expect_text(const char *path, const char *expected) {
	char text[512] = "";
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(text, expected);
}

static int set_up(void **state) {
	static struct files files;
	strcpy(files.directory, "/tmp/portal-block-XXXXXX");
	assert_non_null(mkdtemp(files.directory));
	assert_int_equal(chmod(files.directory, 0777), 0);
	snprintf(files.found, sizeof(files.found), "%s/system.scfg", files.directory);
	snprintf(files.own, sizeof(files.own), "%s/user/portal/portal.scfg", files.directory);
	*state = &files;
	return 0;
}

static int tear_down(void **state) {
	struct files *files = *state;
	unlink(files->found);
	unlink(files->own);
	for (char *slash; strcmp(files->own, files->directory) != 0; rmdir(files->own)) {
		slash = strrchr(files->own, '/');
		*slash = '\0';
	}
	return 0;
}

/* Root, too, is to be somebody who may not write the file. */
static void become_ordinary(void) {
	if (getuid() == 0) {
		assert_int_equal(seteuid(NOBODY), 0);
	}
}

static void become_oneself(void) {
	assert_int_equal(seteuid(getuid()), 0);
}

static void test_a_file_that_can_be_written_gets_the_block(void **state) {
	const struct files *files = *state;
	struct vm_block block;
	write_text(files->found, "focus click\n");
	assert_int_equal(vm_block_init(&block, files->found, files->own, false), RUN_OK);
	assert_int_equal(vm_block_add(&block, "web"), RUN_OK);
	expect_text(files->found, "focus click\n\n" BLOCK);
	assert_int_equal(access(files->own, F_OK), -1);
}

static void test_the_first_file_has_the_block_alone(void **state) {
	const struct files *files = *state;
	struct vm_block block;
	assert_int_equal(vm_block_init(&block, NULL, files->own, false), RUN_OK);
	assert_int_equal(access(files->own, F_OK), -1);
	assert_int_equal(vm_block_add(&block, "web"), RUN_OK);
	expect_text(files->own, BLOCK);
}

static void test_the_systems_file_is_copied_for_who_may_not_write_it(void **state) {
	const struct files *files = *state;
	struct vm_block block;
	write_text(files->found, "focus pointer\n");
	assert_int_equal(chmod(files->found, 0444), 0);
	become_ordinary();
	int chosen = vm_block_init(&block, files->found, files->own, false);
	int added = chosen == RUN_OK ? vm_block_add(&block, "web") : chosen;
	become_oneself();
	assert_int_equal(chosen, RUN_OK);
	assert_int_equal(added, RUN_OK);
	expect_text(files->found, "focus pointer\n");
	expect_text(files->own, "focus pointer\n\n" BLOCK);
}

static void test_a_file_that_was_asked_for_is_that_one_or_none(void **state) {
	const struct files *files = *state;
	struct vm_block block;
	write_text(files->found, "");
	assert_int_equal(chmod(files->found, 0444), 0);
	become_ordinary();
	int asked = vm_block_init(&block, files->found, files->own, true);
	/* Nor is his own file another one's copy. */
	int own = vm_block_init(&block, files->found, files->found, false);
	become_oneself();
	assert_int_equal(asked, RUN_CONFIG);
	assert_int_equal(own, RUN_CONFIG);
	assert_int_equal(access(files->own, F_OK), -1);
}

/* As on a full disk, where a part of what is written can still have found room. */
static void test_what_does_not_fit_leaves_the_file_as_it_was(void **state) {
	const struct files *files = *state;
	const char *before = "focus click\n";
	struct vm_block block;
	struct rlimit former, limit;
	write_text(files->found, before);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &former), 0);
	signal(SIGXFSZ, SIG_IGN);
	for (int i = 0; i < 2; i++) {
		const char *found = i == 0 ? files->found : NULL;
		assert_int_equal(vm_block_init(&block, found, files->own, false), RUN_OK);
		limit = (struct rlimit){strlen(before) + 10, former.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		int added = vm_block_add(&block, "web");
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &former), 0);
		assert_int_equal(added, RUN_CONFIG);
	}
	signal(SIGXFSZ, SIG_DFL);
	expect_text(files->found, before);
	assert_int_equal(access(files->own, F_OK), -1);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_file_that_can_be_written_gets_the_block, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_the_first_file_has_the_block_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_the_systems_file_is_copied_for_who_may_not_write_it, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_file_that_was_asked_for_is_that_one_or_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_what_does_not_fit_leaves_the_file_as_it_was, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
