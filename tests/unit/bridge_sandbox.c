/* What a process in the bridge's sandbox can still do, each seen from a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <landlock.h>

#include "log.h"
#include "sandbox.h"

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

struct sockets {
	char directory[32];
	struct sockaddr_un compositor, other;
	int compositor_fd; /* O_PATH */
	int listeners[2];
	int unconnected;
	pid_t parent; /* getppid() is no call that the filter lets */
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
	sockets.unconnected = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* As the bridge does: the name is gone before a guest is heard. */
	unlink(sockets.compositor.sun_path);
	sockets.parent = getpid();
	*state = &sockets;
	return 0;
}

static int teardown(void **state) {
	struct sockets *sockets = *state;
	close(sockets->compositor_fd);
	close(sockets->unconnected);
	close(sockets->listeners[0]);
	close(sockets->listeners[1]);
	unlink(sockets->other.sun_path);
	rmdir(sockets->directory);
	return 0;
}

static int enter_sandbox(struct sockets *sockets) {
	struct bridge_log log;
	bridge_log_init(&log, "test");
	return bridge_sandbox_enter(1 << 20, &log);
}

static int enter_landlock(struct sockets *sockets) {
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -1 : landlock_confine();
}

/* The last wall by itself: what it leaves open, no Landlock of an older kernel would stop. */
static int enter_filter(struct sockets *sockets) {
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -1 : bridge_sandbox_filter();
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
	return (int)ptrace(PTRACE_ATTACH, sockets->parent, NULL, NULL);
}

static int signal_parent(struct sockets *sockets) {
	return kill(sockets->parent, SIGCONT);
}

static int signal_parents_thread(struct sockets *sockets) {
	return (int)syscall(SYS_tgkill, sockets->parent, sockets->parent, SIGCONT);
}

static int signal_itself(struct sockets *sockets) {
	return (int)syscall(SYS_tgkill, getpid(), gettid(), 0);
}

static int queue_signal(struct sockets *sockets) {
	siginfo_t info = {.si_code = SI_QUEUE};
	return (int)syscall(SYS_rt_sigqueueinfo, sockets->parent, SIGCONT, &info);
}

static int queue_threads_signal(struct sockets *sockets) {
	siginfo_t info = {.si_code = SI_QUEUE};
	return (int)syscall(
		SYS_rt_tgsigqueueinfo, sockets->parent, sockets->parent, SIGCONT, &info);
}

static int open_process(struct sockets *sockets) {
	return (int)syscall(SYS_pidfd_open, sockets->parent, 0);
}

static int signal_descriptor(struct sockets *sockets) {
	return (int)syscall(SYS_pidfd_send_signal, -1, SIGCONT, NULL, 0);
}

static int take_descriptor(struct sockets *sockets) {
	return (int)syscall(SYS_pidfd_getfd, -1, 0, 0);
}

static int read_memory(struct sockets *sockets) {
	char byte;
	struct iovec local = {.iov_base = &byte, .iov_len = 1}, remote = local;
	return (int)process_vm_readv(sockets->parent, &local, 1, &remote, 1, 0);
}

static int write_memory(struct sockets *sockets) {
	char byte = 0;
	struct iovec local = {.iov_base = &byte, .iov_len = 1}, remote = local;
	return (int)process_vm_writev(sockets->parent, &local, 1, &remote, 1, 0);
}

static int advise_memory(struct sockets *sockets) {
	return (int)syscall(SYS_process_madvise, -1, NULL, 0, MADV_COLD, 0);
}

/* Had it been let, RLIMIT_CPU of 0 would end that process. */
static int limit_parent(struct sockets *sockets) {
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	return prlimit(sockets->parent, RLIMIT_CPU, &limit, NULL);
}

static int read_parents_limit(struct sockets *sockets) {
	struct rlimit limit;
	return prlimit(sockets->parent, RLIMIT_CPU, NULL, &limit);
}

static int set_own_limit(struct sockets *sockets) {
	struct rlimit limit = {.rlim_cur = 0, .rlim_max = 0};
	return setrlimit(RLIMIT_CORE, &limit);
}

static int read_own_limit(struct sockets *sockets) {
	struct rlimit limit;
	return getrlimit(RLIMIT_CORE, &limit);
}

/* The kernel would signal the owner, whoever that is, whenever the descriptor is ready. */
static int own_descriptor(struct sockets *sockets) {
	return fcntl(sockets->listeners[0], F_SETOWN, sockets->parent);
}

static int own_descriptor_by_kind(struct sockets *sockets) {
	struct f_owner_ex owner = {.type = F_OWNER_PID, .pid = sockets->parent};
	return fcntl(sockets->listeners[0], F_SETOWN_EX, &owner);
}

static int choose_signal(struct sockets *sockets) {
	return fcntl(sockets->listeners[0], F_SETSIG, SIGKILL);
}

static int ask_for_signals(struct sockets *sockets) {
	return fcntl(sockets->listeners[0], F_SETFL, O_NONBLOCK | O_ASYNC);
}

static int lease_file(struct sockets *sockets) {
	return fcntl(sockets->listeners[0], F_SETLEASE, F_WRLCK);
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

static int schedule_parent(struct sockets *sockets) {
	struct sched_param param = {0};
	return sched_setscheduler(sockets->parent, SCHED_OTHER, &param);
}

static int pin_parent(struct sockets *sockets) {
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	return sched_setaffinity(sockets->parent, sizeof(set), &set);
}

static int slow_parent(struct sockets *sockets) {
	return setpriority(PRIO_PROCESS, (id_t)sockets->parent, 0);
}

static int slow_parents_files(struct sockets *sockets) {
	return (int)syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, sockets->parent, 0);
}

static int regroup_parent(struct sockets *sockets) {
	return setpgid(sockets->parent, sockets->parent);
}

static int type_into_terminal(struct sockets *sockets) {
	return ioctl(STDERR_FILENO, TIOCSTI, "x");
}

static int be_traced(struct sockets *sockets) {
	return prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
}

static int leave_namespace(struct sockets *sockets) {
	return unshare(CLONE_NEWUSER);
}

static int make_pair(struct sockets *sockets) {
	int fds[2];
	return socketpair(AF_UNIX, SOCK_DGRAM, 0, fds);
}

static int open_ring(struct sockets *sockets) {
	return (int)syscall(SYS_io_uring_setup, 1, NULL);
}

static int gain_root(struct sockets *sockets) {
	return setuid(0);
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

static void test_other_processes_are_left_alone(void **state) {
	int (*const attempts[])(struct sockets *sockets) = {trace_parent, signal_parent,
		signal_parents_thread, queue_signal, queue_threads_signal, open_process,
		signal_descriptor, take_descriptor, read_memory, write_memory, advise_memory,
		limit_parent, read_parents_limit, set_own_limit, own_descriptor,
		own_descriptor_by_kind, choose_signal, ask_for_signals, lease_file, schedule_parent,
		pin_parent, slow_parent, slow_parents_files, regroup_parent, type_into_terminal,
		be_traced, leave_namespace, make_pair, open_ring, gain_root};
	size_t let = 0;
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		int result = attempt_in(*state, enter_filter, attempts[i]);
		if (result != EPERM) {
			print_error("attempt %zu: %s\n", i, result == 0 ? "let" : strerror(result));
			let++;
		}
		assert_int_equal(attempt(*state, attempts[i]), EPERM);
	}
	assert_int_equal(let, 0);
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
		cmocka_unit_test(test_other_processes_are_left_alone),
		cmocka_unit_test(test_a_failed_assertion_still_ends_the_process),
		cmocka_unit_test(test_limits_are_in_force),
		cmocka_unit_test(test_landlock_holds_without_the_filter),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
