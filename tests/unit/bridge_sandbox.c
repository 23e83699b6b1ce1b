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
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <landlock.h>

#include "log.h"
#include "sandbox.h"

struct sockets {
	char directory[32];
	struct sockaddr_un compositor, other;
	int compositor_fd; /* O_PATH */
	int listeners[2];
};

static int listen_at(const struct sockaddr_un *address) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int setup(void **state) {
	static struct sockets sockets;
	strcpy(sockets.directory, "/tmp/portal-sandbox-XXXXXX");
	assert_non_null(mkdtemp(sockets.directory));
	sockets.compositor.sun_family = sockets.other.sun_family = AF_UNIX;
	snprintf(sockets.compositor.sun_path, sizeof(sockets.compositor.sun_path), "%s/wayland",
		sockets.directory);
	snprintf(sockets.other.sun_path, sizeof(sockets.other.sun_path), "%s/bus",
		sockets.directory);
	sockets.listeners[0] = listen_at(&sockets.compositor);
	sockets.listeners[1] = listen_at(&sockets.other);
	sockets.compositor_fd = open(sockets.compositor.sun_path, O_PATH | O_CLOEXEC);
	assert_true(sockets.compositor_fd >= 0);
	/* As the bridge does: the name is gone before a guest is heard. */
	unlink(sockets.compositor.sun_path);
	*state = &sockets;
	return 0;
}

static int teardown(void **state) {
	struct sockets *sockets = *state;
	close(sockets->compositor_fd);
	close(sockets->listeners[0]);
	close(sockets->listeners[1]);
	unlink(sockets->other.sun_path);
	rmdir(sockets->directory);
	return 0;
}

static int enter_sandbox(struct sockets *sockets) {
	struct bridge_log log;
	bridge_log_init(&log, "test");
	return bridge_sandbox_enter(sockets->compositor_fd, 1 << 20, &log);
}

static int enter_landlock(struct sockets *sockets) {
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
		       ? -1
		       : landlock_confine(sockets->compositor_fd);
}

/* Runs an attempt in a confined process: 0 when it was let, else the errno it failed with. */
static int attempt_in(struct sockets *sockets, int (*enter)(struct sockets *sockets),
	int (*function)(struct sockets *sockets)) {
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (enter(sockets) < 0) {
			_exit(255);
		}
		errno = 0;
		_exit(function(sockets) < 0 ? errno : 0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 255);
	return WEXITSTATUS(status);
}

static int attempt(struct sockets *sockets, int (*function)(struct sockets *sockets)) {
	return attempt_in(sockets, enter_sandbox, function);
}

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

static int trace_parent(struct sockets *sockets) {
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int signal_parent(struct sockets *sockets) {
	return kill(getppid(), SIGCONT);
}

static int gain_root(struct sockets *sockets) {
	return setuid(0);
}

static int connect_compositor(struct sockets *sockets) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d",
		sockets->compositor_fd);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&address, sizeof(address));
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

static void test_what_the_bridge_needs_still_works(void **state) {
	assert_int_equal(attempt(*state, connect_compositor), 0);
	assert_int_equal(attempt(*state, make_blob), 0);
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

static void test_other_processes_are_left_alone(void **state) {
	assert_int_equal(attempt(*state, trace_parent), EPERM);
	assert_int_equal(attempt(*state, signal_parent), EPERM);
	assert_int_equal(attempt(*state, gain_root), EPERM);
}

static void test_limits_are_in_force(void **state) {
	assert_int_equal(attempt(*state, dump_core), 0);
	assert_int_equal(attempt(*state, open_many), EMFILE);
}

static int connect_other(struct sockets *sockets) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return connect(fd, (struct sockaddr *)&sockets->other, sizeof(sockets->other));
}

/* As the host's door does. */
static int enter_without_socket(struct sockets *sockets) {
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -1 : landlock_confine(-1);
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
	assert_int_equal(attempt_in(*state, enter_landlock, connect_compositor), 0);
	assert_int_equal(
		attempt_in(*state, enter_without_socket, open_file), abi >= 1 ? EACCES : 0);
	assert_int_equal(attempt_in(*state, enter_without_socket, connect_compositor),
		abi >= 9 ? EACCES : 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_bridge_needs_still_works),
		cmocka_unit_test(test_no_file_can_be_opened_or_made),
		cmocka_unit_test(test_no_program_or_process_can_be_started),
		cmocka_unit_test(test_the_network_is_out_of_reach),
		cmocka_unit_test(test_other_processes_are_left_alone),
		cmocka_unit_test(test_limits_are_in_force),
		cmocka_unit_test(test_landlock_holds_without_the_filter),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
