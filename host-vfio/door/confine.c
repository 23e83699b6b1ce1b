#include "door/confine.h"

#include <errno.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
/* LeakSanitizer stops the process from a thread of its own, which the filter does not allow. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) {
	return 1;
}
#endif

/* A few queues and libraries. */
#define MEMORY_MAX (UINT64_C(256) << 20)
#define DESCRIPTORS_MAX 64

static const int allowed[] = {
	/* descriptors that are there, and connections to a listening one */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(accept4),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
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
	SCMP_SYS(tgkill),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

static int filter_system_calls(void) {
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (filter == NULL) {
		return -ENOMEM;
	}
	int result = 0;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && result == 0; i++) {
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
		/* A system call this architecture does not have cannot be made either. */
		result = result == -EDOM ? 0 : result;
	}
	const int memory[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
	for (size_t i = 0; i < 2 && result == 0; i++) {
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, memory[i], 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	}
	if (result == 0) {
		result = seccomp_load(filter);
	}
	seccomp_release(filter);
	return result;
}

/* No file and no directory, by whatever rights this kernel knows of the first version. */
static int leave_file_system(void) {
	const struct landlock_ruleset_attr attr = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				     LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
				     LANDLOCK_ACCESS_FS_REMOVE_DIR |
				     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
				     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
				     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
				     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM,
	};
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0) {
		return -errno;
	}
	int result = syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
	close(ruleset);
	return result;
}

static int become(const char *user, struct error *error) {
	if (user == NULL) {
		return 0;
	}
	const struct passwd *entry = getpwnam(user);
	if (entry == NULL) {
		return error_set(error, "there is no user %s; systemd-sysusers makes it", user);
	}
	if (setgroups(0, NULL) < 0 || setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) < 0 ||
		setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) < 0) {
		return error_set(error, "cannot become the user %s: %s", user, strerror(errno));
	}
	return 0;
}

static int limit(int resource, uint64_t most) {
	const struct rlimit limit = {.rlim_cur = most, .rlim_max = most};
	return setrlimit(resource, &limit);
}

static int limit_resources(void) {
	if (limit(RLIMIT_NOFILE, DESCRIPTORS_MAX) < 0 || limit(RLIMIT_CORE, 0) < 0) {
		return -1;
	}
#ifdef SANITIZED
	return 0; /* its shadow memory takes terabytes of addresses */
#else
	return limit(RLIMIT_AS, MEMORY_MAX);
#endif
}

int confine(const char *user, const char **missing, struct error *error) {
	*missing = NULL;
	if (become(user, error) < 0) {
		return -1;
	}
	if (limit_resources() < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		return error_set(error, "cannot give up rights: %s", strerror(errno));
	}
	int result = leave_file_system();
	if (result == -ENOSYS || result == -EOPNOTSUPP) {
		*missing = "Landlock";
	} else if (result < 0) {
		return error_set(error, "Landlock: %s", strerror(-result));
	}
	result = filter_system_calls();
	/* The kernel's EINVAL: built without filters. */
	if (result == -EINVAL || result == -ECANCELED) {
		*missing = *missing != NULL ? "Landlock and no seccomp filters" : "seccomp filters";
	} else if (result < 0) {
		return error_set(error, "seccomp: %s", strerror(-result));
	}
	return 0;
}
