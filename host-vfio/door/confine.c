#include "door/confine.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "confine/landlock.h"
#include "confine/rights.h"
#include "confine/system_calls.h"

/* A few queues and libraries. */
#define MEMORY_MAX (UINT64_C(256) << 20)
#define DESCRIPTORS_MAX 64

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

int confine(const char *user, const char **missing, struct error *error) {
	*missing = NULL;
	if (become(user, error) < 0) {
		return -1;
	}
	if (rights_confine(DESCRIPTORS_MAX, MEMORY_MAX) < 0) {
		return error_set(error, "cannot give up rights: %s", strerror(errno));
	}
	int abi = landlock_confine();
	if (abi < 0) {
		return error_set(error, "Landlock: %s", strerror(errno));
	}
	/* Nothing beside the loop: what connects is accepted at a socket that is there. Whoever
	 * tries more is no door any more. */
	const struct system_calls calls = {.log = true};
	int filter = system_calls_confine(&calls);
	if (filter < 0 && errno != ENOSYS) {
		return error_set(error, "seccomp: %s", strerror(errno));
	}
	if (abi == 0 || filter < 0) {
		*missing = abi == 0 && filter < 0 ? "Landlock and no seccomp filters"
			   : abi == 0		  ? "Landlock"
						  : "seccomp filters";
	}
	return 0;
}
