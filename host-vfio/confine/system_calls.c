#include "confine/system_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <seccomp.h>

static const int loop[] = {
	/* descriptors that are there, and connections to a listening one */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(accept4),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	/* the loop */
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(restart_syscall),
	/* memory; a channel's ring is a memfd, mapped twice */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(memfd_create),
	SCMP_SYS(ftruncate),
	/* the process itself */
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getrandom),
	SCMP_SYS(futex),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

static int allow_all(scmp_filter_ctx filter, const int *calls, size_t count) {
	for (size_t i = 0; i < count; i++) {
		int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
		/* A system call this architecture does not have cannot be made either. */
		if (result < 0 && result != -EDOM) {
			return result;
		}
	}
	return 0;
}

/* A descriptor's flags, copies and seals; no owner, no signal and no lease, which would have the
 * kernel send signals to others. */
static int allow_fcntl(scmp_filter_ctx filter) {
	const int commands[] = {
		F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_ADD_SEALS, F_GET_SEALS};
	int result = 0;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]) && result == 0; i++) {
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
			SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i]));
	}
	if (result == 0) {
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 2,
			SCMP_A1(SCMP_CMP_EQ, F_SETFL), SCMP_A2(SCMP_CMP_MASKED_EQ, O_ASYNC, 0));
	}
	return result;
}

/* abort() signals its own thread; the limits can be read, they have been set before. */
static int allow_self(scmp_filter_ctx filter) {
	int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
		SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	if (result == 0) {
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
			SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A2(SCMP_CMP_EQ, 0));
	}
	return result;
}

/* No memory becomes a program. */
static int allow_memory(scmp_filter_ctx filter) {
	const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
	int result = 0;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && result == 0; i++) {
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	}
	return result;
}

int system_calls_confine(const struct system_calls *calls) {
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter) {
		errno = ENOMEM;
		return -1;
	}
	int result = allow_all(filter, loop, sizeof(loop) / sizeof(loop[0]));
	if (result == 0) {
		result = allow_all(filter, calls->more, calls->count);
	}
	if (result == 0) {
		result = allow_fcntl(filter);
	}
	if (result == 0) {
		result = allow_self(filter);
	}
	if (result == 0) {
		result = allow_memory(filter);
	}
	if (result == 0 && calls->log) {
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	}
	if (result == 0) {
		result = seccomp_load(filter);
	}
	seccomp_release(filter);
	if (result < 0) {
		/* The kernel's EINVAL: built without filters. */
		errno = result == -EINVAL || result == -ECANCELED ? ENOSYS : -result;
		return -1;
	}
	return 0;
}
