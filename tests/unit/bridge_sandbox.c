/* What a process in the bridge's sandbox can still do, each seen from a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox_fixture.h"

/* With the address sanitizer the address space has no limit, see rights.h. */
#if defined(__SANITIZE_ADDRESS__)
#define MOST_MEMORY_ERROR 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MOST_MEMORY_ERROR 0
#endif
#endif
#ifndef MOST_MEMORY_ERROR
#define MOST_MEMORY_ERROR ENOMEM
#endif

static int open_file(struct sockets *sockets) {
	return open("/etc/passwd", O_RDONLY);
}

static int make_file(struct sockets *sockets) {
	return open("/tmp/portal-sandbox-file", O_CREAT | O_WRONLY, 0600);
}

static int start_program(struct sockets *sockets) {
	char *argv[] = {"/bin/true", NULL}, *envp[] = {NULL};
	return execve(argv[0], argv, envp);
}

static int start_process(struct sockets *sockets) {
	return fork();
}

static int open_network(struct sockets *sockets) {
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int open_datagram(struct sockets *sockets) {
	return socket(AF_UNIX, SOCK_DGRAM, 0);
}

static int make_code(struct sockets *sockets) {
	void *code = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return code == MAP_FAILED ? -1 : 0;
}

static int signal_itself(struct sockets *sockets) {
	return (int)syscall(SYS_tgkill, getpid(), gettid(), 0);
}

static int read_own_limit(struct sockets *sockets) {
	struct rlimit limit;
	return getrlimit(RLIMIT_CORE, &limit);
}

static int change_flags(struct sockets *sockets) {
	int fd = fcntl(sockets->listeners[0], F_DUPFD_CLOEXEC, 0);
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 || fcntl(fd, F_GETFD) != FD_CLOEXEC ||
			       fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
			       fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0
		       ? -1
		       : 0;
}

static int read_option(struct sockets *sockets) {
	int type;
	socklen_t size = sizeof(type);
	return getsockopt(sockets->listeners[0], SOL_SOCKET, SO_TYPE, &type, &size);
}

/* Where none can be made, one from before, which is more than the bridge has. */
static int get_socket(const struct sockets *sockets) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 ? sockets->unconnected : fd;
}

static int connect_compositor(struct sockets *sockets) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d",
		sockets->compositor_fd);
	return connect(get_socket(sockets), (struct sockaddr *)&address, sizeof(address));
}

static int connect_other(struct sockets *sockets) {
	return connect(
		get_socket(sockets), (struct sockaddr *)&sockets->other, sizeof(sockets->other));
}

static int open_stream(struct sockets *sockets) {
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int make_blob(struct sockets *sockets) {
	int fd = memfd_create("blob", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, 4096) < 0 || pwrite(fd, "x", 1, 0) != 1 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_WRITE) < 0) {
		return -1;
	}
	void *memory = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	return memory == MAP_FAILED ? -1 : munmap(memory, 4096);
}

static int dump_core(struct sockets *sockets) {
	struct rlimit limit;
	if (getrlimit(RLIMIT_CORE, &limit) < 0) {
		return -1;
	}
	errno = E2BIG;
	return limit.rlim_max == 0 ? 0 : -1;
}

static int open_many(struct sockets *sockets) {
	for (int i = 0; i < 5000; i++) {
		if (dup(0) < 0) {
			return -1;
		}
	}
	return 0;
}

static int take_memory(struct sockets *sockets) {
	void *memory = mmap(NULL, (size_t)4 << 30, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return memory == MAP_FAILED ? -1 : 0;
}

static int take_little_memory(struct sockets *sockets) {
	void *memory = mmap(NULL, (size_t)64 << 20, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return memory == MAP_FAILED ? -1 : 0;
}

static void test_what_the_bridge_needs_still_works(void **state) {
	assert_int_equal(attempt(*state, make_blob), 0);
	assert_int_equal(attempt(*state, change_flags), 0);
	assert_int_equal(attempt(*state, signal_itself), 0);
	assert_int_equal(attempt(*state, read_own_limit), 0);
	assert_int_equal(attempt(*state, read_option), 0);
}

static void test_no_file_can_be_opened_or_made(void **state) {
	assert_int_equal(attempt(*state, open_file), EPERM);
	assert_int_equal(attempt(*state, make_file), EPERM);
}

static void test_no_program_or_process_can_be_started(void **state) {
	assert_int_equal(attempt(*state, start_program), EPERM);
	assert_int_equal(attempt(*state, start_process), EPERM);
	assert_int_equal(attempt(*state, make_code), EPERM);
}

static void test_the_network_is_out_of_reach(void **state) {
	assert_int_equal(attempt(*state, open_network), EPERM);
	assert_int_equal(attempt(*state, open_datagram), EPERM);
}

/* Whatever Landlock's version: the session's bus, systemd and other guests' bridges are there. */
static void test_no_socket_of_the_user_is_in_reach(void **state) {
	assert_int_equal(attempt(*state, open_stream), EPERM);
	assert_int_equal(attempt(*state, connect_other), EPERM);
	assert_int_equal(attempt(*state, connect_compositor), EPERM);
	assert_int_equal(attempt_in(*state, enter_filter, open_stream), EPERM);
	assert_int_equal(attempt_in(*state, enter_filter, connect_other), EPERM);
}

static int abort_itself(struct sockets *sockets) {
	abort();
}

static void test_a_failed_assertion_still_ends_the_process(void **state) {
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct rlimit none = {0};
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		_exit(enter_sandbox(*state) < 0 ? 255 : abort_itself(*state));
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_limits_are_in_force(void **state) {
	assert_int_equal(attempt(*state, dump_core), 0);
	assert_int_equal(attempt(*state, open_many), EMFILE);
	assert_int_equal(attempt(*state, take_little_memory), 0);
	assert_int_equal(attempt(*state, take_memory), MOST_MEMORY_ERROR);
}

static int get_abi(struct sockets *sockets) {
	errno = enter_landlock(sockets);
	return -1;
}

/* Behind the filter nothing of this shows; it is the second wall, as high as the kernel makes it.
 */
static void test_landlock_holds_without_the_filter(void **state) {
	int abi = attempt_in(*state, enter_landlock, get_abi);
	assert_int_equal(attempt_in(*state, enter_landlock, open_file), abi >= 1 ? EACCES : 0);
	assert_int_equal(attempt_in(*state, enter_landlock, make_file), abi >= 1 ? EACCES : 0);
	assert_int_equal(attempt_in(*state, enter_landlock, signal_parent), abi >= 6 ? EPERM : 0);
	assert_int_equal(attempt_in(*state, enter_landlock, connect_other), abi >= 9 ? EACCES : 0);
	assert_int_equal(
		attempt_in(*state, enter_landlock, connect_compositor), abi >= 9 ? EACCES : 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_bridge_needs_still_works),
		cmocka_unit_test(test_no_file_can_be_opened_or_made),
		cmocka_unit_test(test_no_program_or_process_can_be_started),
		cmocka_unit_test(test_the_network_is_out_of_reach),
		cmocka_unit_test(test_no_socket_of_the_user_is_in_reach),
		cmocka_unit_test(test_a_failed_assertion_still_ends_the_process),
		cmocka_unit_test(test_limits_are_in_force),
		cmocka_unit_test(test_landlock_holds_without_the_filter),
	};
	return cmocka_run_group_tests(tests, sandbox_setup, sandbox_teardown);
}
