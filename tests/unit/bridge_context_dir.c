/* The directory of a security context's socket: made, taken over, and one bridge's at a time. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "context_dir.h"

struct fixture {
	char runtime[64], path[128];
};

static int setup(void **state) {
	struct fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	strcpy(f->runtime, "/tmp/portal-context-XXXXXX");
	assert_non_null(mkdtemp(f->runtime));
	setenv("XDG_RUNTIME_DIR", f->runtime, 1);
	snprintf(f->path, sizeof(f->path), "%s/portal/bridge-vm.context", f->runtime);
	*state = f;
	return 0;
}

/* Nothing may be left in the runtime directory. */
static int teardown(void **state) {
	struct fixture *f = *state;
	int result = rmdir(f->runtime);
	free(f);
	return result;
}

static void test_it_is_there_for_this_user_while_it_is_open(void **state) {
	struct fixture *f = *state;
	struct bridge_context_dir dir;
	struct stat stat_buffer;
	assert_int_equal(bridge_context_dir_open(&dir, "vm"), 0);
	assert_string_equal(dir.path, f->path);
	assert_int_equal(stat(f->path, &stat_buffer), 0);
	assert_int_equal(stat_buffer.st_mode & 0777, 0700);
	bridge_context_dir_close(&dir);
	assert_int_equal(stat(f->path, &stat_buffer), -1);
}

static void test_its_socket_is_reached_when_the_name_is_gone(void **state) {
	struct bridge_context_dir dir;
	assert_int_equal(bridge_context_dir_open(&dir, "vm"), 0);
	int listener = bridge_context_dir_listen(&dir);
	int file = bridge_context_dir_open_socket(&dir);
	assert_true(listener >= 0 && file >= 0);
	bridge_context_dir_close(&dir);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file);
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	close(client);
	close(file);
	close(listener);
}

static void test_a_name_may_be_longer_than_an_address(void **state) {
	struct bridge_context_dir dir;
	char vm[64];
	memset(vm, 'v', 63);
	vm[63] = '\0';
	assert_int_equal(bridge_context_dir_open(&dir, vm), 0);
	int listener = bridge_context_dir_listen(&dir);
	assert_true(listener >= 0);
	close(listener);
	bridge_context_dir_close(&dir);
}

/* Killed: the lock goes with the process, the names stay. */
static void test_what_a_killed_bridge_left_is_taken_over(void **state) {
	struct fixture *f = *state;
	pid_t child = fork();
	if (child == 0) {
		struct bridge_context_dir dir;
		_exit(bridge_context_dir_open(&dir, "vm") == 0 &&
					bridge_context_dir_listen(&dir) >= 0
				? 0
				: 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(access(f->path, F_OK), 0);
	struct bridge_context_dir dir;
	assert_int_equal(bridge_context_dir_open(&dir, "vm"), 0);
	int listener = bridge_context_dir_listen(&dir);
	assert_true(listener >= 0);
	close(listener);
	bridge_context_dir_close(&dir);
}

static void test_it_is_one_bridges_at_a_time(void **state) {
	struct fixture *f = *state;
	struct bridge_context_dir dir, other;
	assert_int_equal(bridge_context_dir_open(&dir, "vm"), 0);
	int fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	close(fd);
	/* Another VM's is another one. */
	assert_int_equal(bridge_context_dir_open(&other, "other"), 0);
	bridge_context_dir_close(&other);

	/* Who waits for it gets one that has a name, not the one that was removed meanwhile. */
	pid_t child = fork();
	if (child == 0) {
		close(dir.fd);
		if (bridge_context_dir_open(&dir, "vm") < 0) {
			_exit(1);
		}
		int result = access(f->path, F_OK) == 0 ? 0 : 2;
		bridge_context_dir_close(&dir);
		_exit(result);
	}
	bridge_context_dir_close(&dir);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_without_a_runtime_directory_there_is_none(void **state) {
	struct fixture *f = *state;
	struct bridge_context_dir dir;
	unsetenv("XDG_RUNTIME_DIR");
	assert_int_equal(bridge_context_dir_open(&dir, "vm"), -1);
	assert_int_equal(errno, ENOENT);
	setenv("XDG_RUNTIME_DIR", "relative", 1);
	assert_int_equal(bridge_context_dir_open(&dir, "vm"), -1);
	/* A directory that is not there is not waited for. */
	char gone[80];
	snprintf(gone, sizeof(gone), "%s/gone", f->runtime);
	setenv("XDG_RUNTIME_DIR", gone, 1);
	assert_int_equal(bridge_context_dir_open(&dir, "vm"), -1);
	assert_int_equal(errno, ENOENT);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		T(test_it_is_there_for_this_user_while_it_is_open),
		T(test_its_socket_is_reached_when_the_name_is_gone),
		T(test_a_name_may_be_longer_than_an_address),
		T(test_what_a_killed_bridge_left_is_taken_over),
		T(test_it_is_one_bridges_at_a_time),
		T(test_without_a_runtime_directory_there_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
