/* portal-run's command line. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "options.h"
#include "status.h"

#define MIB (UINT64_C(1) << 20)

/* Splits at spaces; the words live in *line until the next call. */
static int parse(struct run_options *options, const char *text) {
	static char line[512];
	static char *argv[64];
	int argc = 0;
	snprintf(line, sizeof(line), "portal-run %s", text);
	for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
		assert_true(argc < 63);
		argv[argc++] = word;
	}
	argv[argc] = NULL;
	return run_options_parse(options, argc, argv);
}

static void parse_good(struct run_options *options, const char *text) {
	assert_int_equal(parse(options, text), RUN_OK);
}

/* The text is refused, and this is said first. */
static void expect_refusal(const char *text, const char *expected) {
	int fds[2], saved = dup(STDERR_FILENO);
	assert_int_equal(pipe(fds), 0);
	fflush(stderr);
	dup2(fds[1], STDERR_FILENO);
	struct run_options options;
	int status = parse(&options, text);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	char said[1024];
	ssize_t size = read(fds[0], said, sizeof(said) - 1);
	close(fds[0]);
	said[size > 0 ? size : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	assert_string_equal(said, expected);
	assert_int_equal(status, RUN_USAGE);
}

static void test_a_command_and_its_options_come_after_two_dashes(void **state) {
	struct run_options options;
	parse_good(&options, "vm:demo -- foot --version -- x");
	assert_int_equal(options.action, RUN_LAUNCH);
	assert_string_equal(options.vm, "demo");
	assert_false(options.local);
	assert_string_equal(options.command[0], "foot");
	assert_string_equal(options.command[1], "--version");
	assert_string_equal(options.command[2], "--");
	assert_string_equal(options.command[3], "x");
	assert_null(options.command[4]);
	assert_int_equal(options.timeout, 120);
}

static void test_options_may_stand_behind_the_vm(void **state) {
	struct run_options options;
	parse_good(&options, "vm:demo --detach --timeout 7");
	assert_true(options.detach);
	assert_int_equal(options.timeout, 7);
	assert_null(options.command);
}

static void test_local_is_a_guest_of_its_own(void **state) {
	struct run_options options;
	parse_good(&options, "local: -- foot");
	assert_true(options.local);
	assert_string_equal(options.vm, "local");
	expect_refusal("vm:local -- foot", "portal-run: vm:local: \"local\" cannot be a VM's name");
	expect_refusal("--stop local:",
		"portal-run: local: is the agent on this machine: there is nothing to stop or to "
		"define");
}

static void test_each_job_is_told_from_the_others(void **state) {
	struct run_options options;
	parse_good(&options, "--list");
	assert_int_equal(options.action, RUN_LIST);
	parse_good(&options, "--stop vm:a --force");
	assert_int_equal(options.action, RUN_STOP);
	assert_true(options.force);
	assert_int_equal(options.timeout, 60);
	parse_good(&options, "--help --nonsense");
	assert_int_equal(options.action, RUN_HELP);
	parse_good(&options, "--version");
	assert_int_equal(options.action, RUN_SHOW_VERSION);
	expect_refusal("--list --stop vm:a",
		"portal-run: only one of --list, --stop and --define is possible");
	expect_refusal("--json vm:a", "portal-run: --json goes with --list");
	expect_refusal("--list vm:a", "portal-run: --list takes no VM");
}

static void test_what_cannot_be_meant_is_refused(void **state) {
	expect_refusal("", "portal-run: say which guest: vm:NAME or local:");
	expect_refusal("demo", "portal-run: demo: write vm:NAME or local:");
	expect_refusal("vm:../x", "portal-run: vm:../x: \"../x\" cannot be a VM's name");
	expect_refusal("vm:", "portal-run: vm:: \"\" cannot be a VM's name");
	expect_refusal("vm:a foot", "portal-run: foot: write -- before the command");
	expect_refusal("vm:a --", "portal-run: there is no command after --");
	expect_refusal("--stop vm:a -- foot",
		"portal-run: a command can only be run, not be listed, stopped or defined");
	expect_refusal("--stop vm:a --detach", "portal-run: --detach is about running a command");
	expect_refusal(
		"--list --timeout 3", "portal-run: --timeout is about running a command or --stop");
	expect_refusal("vm:a --force", "portal-run: --force goes with --stop");
	expect_refusal(
		"vm:a --memory 1G", "portal-run: the options of a definition go with --define");
	expect_refusal(
		"vm:a --timeout 0", "portal-run: --timeout: 0 is not a number from 1 to 86400");
	expect_refusal(
		"vm:a --timeout -1", "portal-run: --timeout: -1 is not a number from 1 to 86400");
}

static void test_a_definition_has_what_was_given(void **state) {
	struct run_options options;
	parse_good(&options,
		"--define vm:a --image /i --image-format qcow2 --read-only --kernel /k --initrd /r "
		"--cmdline quiet --memory 2G --lock --cpus 4 --heap ivshmem --heap-size 64M "
		"--control vsock --cid 7 --network none --sound off --virt qemu --console /c "
		"--replace --dry-run");
	const struct domain_spec *spec = &options.spec;
	assert_int_equal(options.action, RUN_DEFINE);
	assert_string_equal(spec->image, "/i");
	assert_string_equal(spec->image_format, "qcow2");
	assert_true(spec->image_read_only);
	assert_string_equal(spec->kernel, "/k");
	assert_string_equal(spec->initrd, "/r");
	assert_string_equal(spec->cmdline, "quiet");
	assert_int_equal(spec->memory, 2048 * MIB);
	assert_true(spec->lock_memory);
	assert_int_equal(spec->cpus, 4);
	assert_int_equal(spec->heap, DOMAIN_HEAP_IVSHMEM);
	assert_int_equal(spec->heap_size, 64 * MIB);
	assert_int_equal(spec->control, DOMAIN_CONTROL_VSOCK);
	assert_int_equal(spec->cid, 7);
	assert_int_equal(spec->network, DOMAIN_NETWORK_NONE);
	assert_int_equal(spec->sound, DOMAIN_SOUND_NONE);
	assert_int_equal(options.virt, RUN_VIRT_QEMU);
	assert_string_equal(spec->console_log, "/c");
	assert_true(options.replace);
	assert_true(options.dry_run);
}

static void test_a_definition_leaves_open_what_was_not_given(void **state) {
	struct run_options options;
	parse_good(&options, "--define vm:a --image /i");
	const struct domain_spec *spec = &options.spec;
	assert_int_equal(spec->heap, DOMAIN_HEAP_UNSET);
	assert_int_equal(spec->control, DOMAIN_CONTROL_UNSET);
	assert_int_equal(spec->network, DOMAIN_NETWORK_UNSET);
	assert_int_equal(spec->sound, DOMAIN_SOUND_UNSET);
	assert_int_equal(spec->memory, 0);
	assert_int_equal(options.virt, RUN_VIRT_AUTO);
}

static void test_wrong_values_of_a_definition_are_refused(void **state) {
	expect_refusal("--define vm:a --image i", "portal-run: --image: i is not an absolute path");
	expect_refusal("--define vm:a --memory 100",
		"portal-run: --memory: 100 is not a size in whole megabytes, such as 512M or 2G");
	expect_refusal(
		"--define vm:a --heap pmem", "portal-run: --heap: pmem is none of nvdimm, ivshmem");
	expect_refusal("--define vm:a --control tcp",
		"portal-run: --control: tcp is none of virtio-serial, vsock, vhost-user-vsock");
	expect_refusal("--define vm:a --cid 2",
		"portal-run: --cid: 2 is not a number from 3 to 4294967294");
	expect_refusal(
		"--define vm:a --virt xen", "portal-run: --virt: xen is none of auto, kvm, qemu");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_command_and_its_options_come_after_two_dashes),
		cmocka_unit_test(test_options_may_stand_behind_the_vm),
		cmocka_unit_test(test_local_is_a_guest_of_its_own),
		cmocka_unit_test(test_each_job_is_told_from_the_others),
		cmocka_unit_test(test_what_cannot_be_meant_is_refused),
		cmocka_unit_test(test_a_definition_has_what_was_given),
		cmocka_unit_test(test_a_definition_leaves_open_what_was_not_given),
		cmocka_unit_test(test_wrong_values_of_a_definition_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
