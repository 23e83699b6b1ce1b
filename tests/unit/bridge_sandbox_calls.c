/* What the sandbox's filter of system calls denies by itself, each seen from a process of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/filter.h>

#include <cmocka.h>

#include "sandbox_fixture.h"

static int trace_parent(struct sockets *sockets) {
	return (int)ptrace(PTRACE_ATTACH, sockets->parent, NULL, NULL);
}

static int signal_parents_thread(struct sockets *sockets) {
	return (int)syscall(SYS_tgkill, sockets->parent, sockets->parent, SIGCONT);
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

static int set_option(
	const struct sockets *sockets, int option, const void *value, socklen_t size) {
	return setsockopt(sockets->listeners[0], SOL_SOCKET, option, value, size);
}

/* A program for the kernel, which takes all that comes. */
static int attach_program(struct sockets *sockets) {
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	const struct sock_fprog program = {.len = 1, .filter = &all};
	return set_option(sockets, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int ask_for_credentials(struct sockets *sockets) {
	return set_option(sockets, SO_PASSCRED, &(int){1}, sizeof(int));
}

static int enlarge_buffer(struct sockets *sockets) {
	return set_option(sockets, SO_SNDBUF, &(int){1 << 20}, sizeof(int));
}

static int keep_closed(struct sockets *sockets) {
	const struct linger linger = {.l_onoff = 1, .l_linger = 60};
	return set_option(sockets, SO_LINGER, &linger, sizeof(linger));
}

static void assert_denied(
	void **state, int (*const attempts[])(struct sockets *sockets), size_t count) {
	size_t let = 0;
	for (size_t i = 0; i < count; i++) {
		int result = attempt_in(*state, enter_filter, attempts[i]);
		if (result != EPERM) {
			print_error("attempt %zu: %s\n", i, result == 0 ? "let" : strerror(result));
			let++;
		}
	}
	assert_int_equal(let, 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(attempt(*state, attempts[i]), EPERM);
	}
}

static void test_other_processes_are_left_alone(void **state) {
	int (*const attempts[])(struct sockets *sockets) = {trace_parent, signal_parent,
		signal_parents_thread, queue_signal, queue_threads_signal, open_process,
		signal_descriptor, take_descriptor, read_memory, write_memory, advise_memory,
		limit_parent, read_parents_limit, set_own_limit, own_descriptor,
		own_descriptor_by_kind, choose_signal, ask_for_signals, lease_file, schedule_parent,
		pin_parent, slow_parent, slow_parents_files, regroup_parent, type_into_terminal,
		be_traced, leave_namespace, make_pair, open_ring, gain_root};
	assert_denied(state, attempts, sizeof(attempts) / sizeof(attempts[0]));
}

static void test_no_option_of_a_socket_is_set(void **state) {
	int (*const attempts[])(struct sockets *sockets) = {
		attach_program, ask_for_credentials, enlarge_buffer, keep_closed};
	assert_denied(state, attempts, sizeof(attempts) / sizeof(attempts[0]));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_processes_are_left_alone),
		cmocka_unit_test(test_no_option_of_a_socket_is_set),
	};
	return cmocka_run_group_tests(tests, sandbox_setup, sandbox_teardown);
}
