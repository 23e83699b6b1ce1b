#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tree/directory.h"
#include "tree/machine_file.h"
#include "tree/memory.h"
#include "tree/recorder.h"

static struct memory_tree *parse(const char *text, struct error *error) {
	FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	struct memory_tree *tree = machine_file_parse(file, "test", error);
	fclose(file);
	return tree;
}

static char *write_out(const struct memory_tree *tree) {
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	assert_int_equal(machine_file_write(tree, file), 0);
	fclose(file);
	return text;
}

static void assert_text(struct tree *tree, const char *path, const char *expected) {
	char *text = tree_text(tree, "%s", path);
	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static void a_path_is_normalised_without_leaving_the_root(void **state) {
	static const char *const cases[][3] = {
		{"/a/b", "../c", "/a/c"},
		{"/a/b", "../../../../c", "/c"},
		{"/a", "/x//y/./z/", "/x/y/z"},
		{"/a", "..", "/"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *path = path_normalise(cases[i][0], cases[i][1]);
		assert_string_equal(path, cases[i][2]);
		free(path);
	}
}

static void a_memory_tree_follows_links_as_the_kernel_does(void **state) {
	struct memory_tree *memory = memory_tree_create();
	struct tree *tree = memory_tree_base(memory);
	assert_int_equal(memory_tree_put_file(memory, "/sys/devices/x/vendor", "0x10de\n", 7), 0);
	assert_int_equal(memory_tree_put_link(memory, "/sys/bus/x", "../devices/x"), 0);
	assert_int_equal(memory_tree_put_link(memory, "/loop", "loop"), 0);
	assert_text(tree, "/sys/bus/x/vendor", "0x10de");
	assert_int_equal(tree_number(tree, -1, "/sys/bus/x/vendor"), 0x10de);
	char *target = tree_target(tree, "/sys/bus/x");
	assert_string_equal(target, "/sys/devices/x");
	free(target);
	assert_null(tree_text(tree, "/loop/vendor"));
	assert_int_equal(errno, ELOOP);
	assert_null(tree_text(tree, "/sys/devices/x"));
	assert_int_equal(errno, EISDIR);
	assert_int_equal(tree_write(tree, "1", "/sys/devices/x/vendor"), -1);
	assert_int_equal(errno, EROFS);
	tree_destroy(tree);
}

static void a_memory_tree_refuses_paths_through_files_and_dots(void **state) {
	struct memory_tree *memory = memory_tree_create();
	assert_int_equal(memory_tree_put_file(memory, "/a/b", "", 0), 0);
	assert_int_equal(memory_tree_put_file(memory, "/a/b/c", "", 0), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(memory_tree_put_file(memory, "/a", "", 0), -1);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(memory_tree_put_file(memory, "/a/../d", "", 0), -1);
	assert_int_equal(errno, EINVAL);
	memory_tree_remove(memory, "/a/b");
	assert_false(tree_exists(memory_tree_base(memory), "/a/b"));
	tree_destroy(memory_tree_base(memory));
}

static const char sample[] = "portal-machine 1\n"
			     "\n[/]\n"
			     "lib -> usr/lib\n"
			     "\n[/proc]\n"
			     "data : 00ff0a\n"
			     "empty : \n"
			     "many =\n"
			     "\tone\n"
			     "\t\n"
			     "\t\\ttwo\\\\\n"
			     "one\\x20name = \\x01 text\n"
			     "self -> 1\n"
			     "\n[/sys/kernel]\n";

static void a_machine_file_reads_back_as_it_was_written(void **state) {
	struct error error;
	struct memory_tree *memory = parse(sample, &error);
	assert_non_null(memory);
	struct tree *tree = memory_tree_base(memory);
	assert_text(tree, "/proc/many", "one\n\n\ttwo\\");
	assert_text(tree, "/proc/one name", "\001 text");
	char bytes[8];
	assert_int_equal(tree_bytes(tree, bytes, sizeof(bytes), "/proc/data"), 3);
	assert_memory_equal(bytes, "\0\xff\n", 3);
	char *text = write_out(memory);
	assert_string_equal(text, sample);
	free(text);
	tree_destroy(tree);
}

static void a_broken_machine_file_is_refused_with_its_line(void **state) {
	static const char *const cases[][2] = {
		{"", "empty"},
		{"# nothing\n", "line 1: not a recorded machine"},
		{"portal-machine 1\nvendor = 1\n", "line 2: an entry before"},
		{"portal-machine 1\n[sys]\n", "line 2: a section is"},
		{"portal-machine 1\n[/sys/../etc]\n", "line 2: a section is"},
		{"portal-machine 1\n[/sys\n", "line 2: a section is"},
		{"portal-machine 1\n[/sys]\na : 0g\n", "line 3: not a row"},
		{"portal-machine 1\n[/sys]\na : 0\n", "line 3: not a row"},
		{"portal-machine 1\n[/sys]\na = \\q\n", "line 3: bad escape"},
		{"portal-machine 1\n[/sys]\na ? b\n", "line 3: expected"},
		{"portal-machine 1\n[/sys]\na\n", "line 3: expected"},
		{"portal-machine 1\n[/sys]\na/b = c\n", "line 3: bad name"},
		{"portal-machine 1\n[/sys]\na -> \n", "line 3: bad link"},
		{"portal-machine 1\n[/sys]\n\tb\n", "line 3: an indented"},
		{"portal-machine 1\n[/s]\na = 1\n[/s/a]\nb = 1\n", "line 4: a section is"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = {""};
		FILE *file = tmpfile();
		fputs(cases[i][0], file);
		rewind(file);
		assert_null(machine_file_parse(file, "test", &error));
		fclose(file);
		if (!strstr(error.text, cases[i][1])) {
			fail_msg("case %zu says: %s", i, error.text);
		}
	}
}

static void cutting_a_machine_file_anywhere_never_crashes(void **state) {
	for (size_t length = 0; length < sizeof(sample) - 1; length++) {
		FILE *file = tmpfile();
		fwrite(sample, 1, length, file);
		rewind(file);
		struct error error;
		struct memory_tree *memory = machine_file_parse(file, "test", &error);
		if (memory) {
			tree_destroy(memory_tree_base(memory));
		}
		fclose(file);
	}
}

static void a_recorder_keeps_what_was_read_and_the_links_on_the_way(void **state) {
	struct memory_tree *source = memory_tree_create(), *kept = memory_tree_create();
	memory_tree_put_file(source, "/sys/devices/x/vendor", "1\n", 2);
	memory_tree_put_file(source, "/sys/devices/x/serial", "2\n", 2);
	memory_tree_put_link(source, "/sys/bus/x", "../devices/x");
	struct tree *recorder = recorder_tree_create(memory_tree_base(source), kept, NULL);
	/* One byte is asked for, and all of it is kept. */
	assert_true(tree_exists(recorder, "/sys/bus/x/vendor"));
	struct strings names = tree_list(recorder, "/sys/devices/x");
	assert_int_equal(names.count, 2);
	strings_finish(&names);
	tree_destroy(recorder);
	assert_text(memory_tree_base(kept), "/sys/bus/x/vendor", "1");
	assert_text(memory_tree_base(kept), "/sys/devices/x/vendor", "1");
	assert_false(tree_exists(memory_tree_base(kept), "/sys/devices/x/serial"));
	tree_destroy(memory_tree_base(kept));
	tree_destroy(memory_tree_base(source));
}

static void a_directory_tree_stays_below_its_root(void **state) {
	char root[] = "/tmp/host-tree-XXXXXX";
	assert_non_null(mkdtemp(root));
	int fd = open(root, O_PATH | O_DIRECTORY);
	assert_int_equal(mkdirat(fd, "sys", 0700), 0);
	assert_int_equal(symlinkat("/etc/hostname", fd, "sys/out"), 0);
	assert_int_equal(symlinkat("/sys/file", fd, "sys/in"), 0);
	int file = openat(fd, "sys/file", O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(file, "yes\n", 4), 4);
	close(file);
	struct tree *tree = directory_tree_create(root);
	assert_non_null(tree);
	assert_null(tree_text(tree, "/sys/out"));
	assert_int_equal(errno, ENOENT);
	assert_text(tree, "/sys/in", "yes");
	assert_int_equal(tree_write(tree, "no!\n", "/sys/in"), 0);
	assert_text(tree, "/sys/file", "no!");
	assert_text(tree, "/../sys/file", "no!");
	tree_destroy(tree);
	unlinkat(fd, "sys/out", 0);
	unlinkat(fd, "sys/in", 0);
	unlinkat(fd, "sys/file", 0);
	unlinkat(fd, "sys", AT_REMOVEDIR);
	close(fd);
	rmdir(root);
}

/* As systemd's RestrictSUIDSGID= has it. */
static void refuse_openat2(void) {
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	if (!filter || seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0) < 0 ||
		seccomp_load(filter) < 0) {
		_exit(10);
	}
	seccomp_release(filter);
}

static int look_without_openat2(const char *below) {
	refuse_openat2();
	struct tree *tree = directory_tree_create("/"), *other = directory_tree_create(below);
	char *text = tree_text(tree, "/proc/self/comm");
	char *link = tree_link(tree, "/proc/self/exe");
	struct strings names = tree_list(tree, "/proc/self");
	bool seen = text && link && strings_contain(&names, "comm");
	/* Below another root it could leave it. */
	bool stays = !tree_text(other, "/self/comm") && errno == ENOSYS;
	free(text);
	free(link);
	strings_finish(&names);
	tree_destroy(tree);
	tree_destroy(other);
	return !seen ? 1 : !stays ? 2 : 0;
}

static void the_whole_tree_is_read_in_a_sandbox_without_openat2(void **state) {
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		_exit(look_without_openat2("/proc"));
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Opens this, in a mount namespace in which something else is mounted on it. */
static int open_covered(const char *by, const char *path) {
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0 ||
		(by && mount(by, path, NULL, MS_BIND, NULL) < 0)) {
		return -1;
	}
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* The link of a descriptor of a process in such a namespace; the caller's. */
static char *link_of(struct tree *tree, const char *by, const char *path) {
	int ready[2], go[2], fd = -1, status;
	char *link;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fd = open_covered(by, path);
		close(go[1]);
		_exit(write(ready[1], &fd, sizeof(fd)) == sizeof(fd) && read(go[0], &fd, 1) == 0
				? 0
				: 1);
	}
	assert_int_equal(read(ready[0], &fd, sizeof(fd)), sizeof(fd));
	assert_true(fd >= 0);
	link = tree_link(tree, "/proc/%d/fd/%d", (int)pid, fd);
	close(go[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(go[0]);
	close(ready[0]);
	close(ready[1]);
	return link;
}

static void who_gives_a_file_the_path_of_a_device_does_not_hold_it(void **state) {
	if (geteuid() != 0) {
		skip();
	}
	struct tree *tree = directory_tree_create("/");
	char file[] = "/tmp/host-tree-XXXXXX";
	close(mkstemp(file));
	char *link = link_of(tree, NULL, "/dev/null");
	assert_string_equal(link, "/dev/null");
	free(link);
	link = link_of(tree, "/dev/null", "/dev/null");
	assert_string_equal(link, "/dev/null");
	free(link);
	assert_null(link_of(tree, file, "/dev/null"));
	assert_null(link_of(tree, "/dev/zero", "/dev/null"));
	link = link_of(tree, NULL, file);
	assert_string_equal(link, file);
	free(link);
	unlink(file);
	tree_destroy(tree);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_normalised_without_leaving_the_root),
		cmocka_unit_test(a_memory_tree_follows_links_as_the_kernel_does),
		cmocka_unit_test(a_memory_tree_refuses_paths_through_files_and_dots),
		cmocka_unit_test(a_machine_file_reads_back_as_it_was_written),
		cmocka_unit_test(a_broken_machine_file_is_refused_with_its_line),
		cmocka_unit_test(cutting_a_machine_file_anywhere_never_crashes),
		cmocka_unit_test(a_recorder_keeps_what_was_read_and_the_links_on_the_way),
		cmocka_unit_test(a_directory_tree_stays_below_its_root),
		cmocka_unit_test(the_whole_tree_is_read_in_a_sandbox_without_openat2),
		cmocka_unit_test(who_gives_a_file_the_path_of_a_device_does_not_hold_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
