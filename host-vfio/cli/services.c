#include "cli/services.h"

#include <dirent.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* libvirt's words are in the answer: not on standard error too. */
static void keep_quiet(void *data, virErrorPtr error) {
}

static void read_libvirt(struct services *services) {
	virSetErrorFunc(NULL, keep_quiet);
	virConnectPtr connection = virConnectOpenReadOnly("qemu:///system");
	if (!connection || virConnectGetLibVersion(connection, &services->libvirt) < 0) {
		const char *message = virGetLastErrorMessage();
		size_t length = strcspn(message ? message : "", "\n");
		snprintf(services->libvirt_error, sizeof(services->libvirt_error), "%.*s",
			(int)length, message ? message : "");
		services->libvirt = 0;
	} else if (virConnectGetVersion(connection, &services->qemu) < 0) {
		services->qemu = 0;
	}
	if (connection) {
		virConnectClose(connection);
	}
	virSetErrorFunc(NULL, NULL);
}

void cli_read_services(struct services *services) {
	const struct passwd *entry = getpwuid(getuid());
	struct rlimit limit;
	*services = (struct services){
		.root = getuid() == 0,
		.user = entry ? entry->pw_name : "this user",
		.kvm_there = access("/dev/kvm", F_OK) == 0,
		.kvm_allowed = access("/dev/kvm", R_OK | W_OK) == 0,
		.lock_limit = UINT64_MAX,
	};
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
		services->lock_limit = limit.rlim_cur;
	}
	read_libvirt(services);
}
