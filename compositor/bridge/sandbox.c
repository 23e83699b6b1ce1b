#include "sandbox.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include <landlock.h>
#include <rights.h>
#include <seccomp.h>
#include <system_calls.h>

#include "log.h"

/* Connections have three descriptors at most while a pool is made, and launches one. */
#define MAX_FDS 1024
/* Stacks, libraries, queues; the heap comes on top. */
#define MAX_MEMORY (UINT64_C(1) << 30)

/* What the bridge needs beside a loop over descriptors: pools and blobs, pipes, signals from a
 * descriptor. Connections to the compositor it is given, see broker.h. */
static const int more_calls[] = {
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(statx),
	SCMP_SYS(lseek),
	SCMP_SYS(dup),
	SCMP_SYS(pipe2),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(eventfd2),
	SCMP_SYS(signalfd4),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(sched_yield),
	SCMP_SYS(getrlimit),
};

int bridge_sandbox_filter(void) {
	const struct system_calls calls = {
		.more = more_calls,
		.count = sizeof(more_calls) / sizeof(more_calls[0]),
	};
	return system_calls_confine(&calls);
}

int bridge_sandbox_enter(uint64_t heap_size, const struct bridge_log *log) {
	if (rights_confine(MAX_FDS, MAX_MEMORY + heap_size) < 0) {
		bridge_log(log, LOG_ERR, "sandbox: %s", strerror(errno));
		return -1;
	}
	int abi = landlock_confine();
	if (abi < 0) {
		bridge_log(log, LOG_ERR, "sandbox: Landlock: %s", strerror(errno));
		return -1;
	}
	int filter = bridge_sandbox_filter();
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
