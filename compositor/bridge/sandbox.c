#include "sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <syslog.h>

#include "landlock.h"
#include "log.h"
#include "seccomp_filter.h"

/* Connections have three descriptors at most while a pool is made, and launches one. */
#define MAX_FDS 1024
/* Stacks, libraries, queues; the heap comes on top. */
#define MAX_MEMORY (UINT64_C(1) << 30)

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

static int limit(int resource, uint64_t most) {
	struct rlimit limit;
	if (getrlimit(resource, &limit) < 0) {
		return -1;
	}
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > most) {
		limit.rlim_max = most;
	}
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit);
}

static int limit_resources(uint64_t heap_size) {
	if (limit(RLIMIT_NOFILE, MAX_FDS) < 0 || limit(RLIMIT_CORE, 0) < 0) {
		return -1;
	}
#ifdef SANITIZED
	return 0; /* its shadow memory takes terabytes of addresses */
#else
	return limit(RLIMIT_AS, MAX_MEMORY + heap_size);
#endif
}

int bridge_sandbox_enter(int socket_fd, uint64_t heap_size, const struct bridge_log *log) {
	if (limit_resources(heap_size) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		bridge_log(log, LOG_ERR, "sandbox: %s", strerror(errno));
		return -1;
	}
	int abi = bridge_landlock_enter(socket_fd);
	if (abi < 0) {
		bridge_log(log, LOG_ERR, "sandbox: Landlock: %s", strerror(errno));
		return -1;
	}
	int filter = bridge_seccomp_enter();
	if (filter < 0 && errno != ENOSYS) {
		bridge_log(log, LOG_ERR, "sandbox: seccomp: %s", strerror(errno));
		return -1;
	}
	if (abi == 0 || filter < 0) {
		bridge_log_once(log, LOG_WARNING, "sandbox incomplete: this kernel has no %s",
			abi == 0 && filter < 0 ? "Landlock and no seccomp filters"
			: abi == 0	       ? "Landlock"
					       : "seccomp filters");
	}
	return 0;
}
