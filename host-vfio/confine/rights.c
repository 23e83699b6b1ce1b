#include "confine/rights.h"

#include <sys/prctl.h>
#include <sys/resource.h>

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

static int limit_resources(uint64_t descriptors, uint64_t memory) {
	if (limit(RLIMIT_NOFILE, descriptors) < 0 || limit(RLIMIT_CORE, 0) < 0) {
		return -1;
	}
#ifdef SANITIZED
	return 0; /* its shadow memory takes terabytes of addresses */
#else
	return limit(RLIMIT_AS, memory);
#endif
}

int rights_confine(uint64_t descriptors, uint64_t memory) {
	return limit_resources(descriptors, memory) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
			       prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
		       ? -1
		       : 0;
}
