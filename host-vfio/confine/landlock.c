#include "confine/landlock.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/landlock.h>

/* The C library has no wrappers for these. */
static int create_ruleset(const struct landlock_ruleset_attr *attr, size_t size, uint32_t flags) {
	return (int)syscall(SYS_landlock_create_ruleset, attr, size, flags);
}

static int restrict_self(int ruleset) {
	return (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}

/* The rights each ABI version added; Documentation/userspace-api/landlock.rst. */
static struct landlock_ruleset_attr rights_of(int abi) {
	struct landlock_ruleset_attr attr = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
				     LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
				     LANDLOCK_ACCESS_FS_REMOVE_DIR |
				     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
				     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
				     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
				     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM,
	};
	if (abi >= 2) {
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	}
	if (abi >= 3) {
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	}
	if (abi >= 4) {
		attr.handled_access_net =
			LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;
	}
	if (abi >= 5) {
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	}
	if (abi >= 6) {
		attr.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
	}
#ifdef LANDLOCK_ACCESS_FS_RESOLVE_UNIX
	if (abi >= 9) {
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_RESOLVE_UNIX;
	}
#endif
	return attr;
}

int landlock_confine(void) {
	int abi = create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 0) {
		/* Not built in, or not switched on at boot. */
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -1;
	}
	struct landlock_ruleset_attr attr = rights_of(abi);
	int ruleset = create_ruleset(&attr, sizeof(attr), 0);
	if (ruleset < 0) {
		return -1;
	}
	int result = restrict_self(ruleset);
	int error = errno;
	close(ruleset);
	errno = error;
	return result < 0 ? -1 : abi;
}
