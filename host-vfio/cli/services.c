#include "cli/services.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hostd/host_interface.h"
#include "policy/policy.h"

static const char libvirt_uri[] = "qemu:///system";

/* libvirt's words are in the answer: not on standard error too. */
static void keep_quiet(void *data, virErrorPtr error) {
}

static void read_libvirt(struct services *services) {
	virSetErrorFunc(NULL, keep_quiet);
	virConnectPtr connection = virConnectOpenReadOnly(libvirt_uri);
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

int cli_read_usages(
	const char *uri, struct domain_usage **usages, size_t *count, struct error *error) {
	sd_event *loop = NULL;
	*usages = NULL;
	*count = 0;
	if (sd_event_new(&loop) < 0) {
		return error_set(error, "out of memory");
	}
	struct domain_manager *manager = domain_manager_create_viewer(uri, loop, error);
	int status = manager ? domain_usages_read(manager, usages, count, error) : -1;
	domain_manager_destroy(manager);
	sd_event_unref(loop);
	return status == 0 ? 0 : -1;
}

/* A policy that cannot be read names nobody; others complain of it. */
static void read_lazy(struct services *services, const char *config) {
	struct domain_usage *usages = NULL;
	size_t count = 0;
	struct policy policy;
	struct error error;
	if (policy_load(&policy, config, &error) < 0) {
		return;
	}
	if (cli_read_usages(libvirt_uri, &usages, &count, &error) == 0) {
		for (size_t i = 0; i < count; i++) {
			if (!usages[i].allocated && policy_names_domain(&policy, usages[i].name)) {
				strings_add(&services->lazy, usages[i].name);
			}
		}
	}
	domain_usages_finish(usages, count);
	policy_finish(&policy);
}

/* Does somebody listen there? */
static bool has_daemon(void) {
	sd_varlink *link = NULL;
	bool there = sd_varlink_connect_address(&link, HOST_SOCKET) >= 0;
	sd_varlink_close_unref(link);
	return there;
}

/* libvirt runs hooks/qemu, and what is in hooks/qemu.d (hooks.html). Some distributions let only
 * root into /etc/libvirt: `unseen` then. */
static bool has_hook(bool *unseen) {
	static const char directory[] = "/etc/libvirt/hooks/qemu.d";
	const struct dirent *entry;
	bool found = false;
	DIR *stream = opendir(directory);
	*unseen = !stream && errno != ENOENT && errno != ENOTDIR;
	while (stream && !found && (entry = readdir(stream))) {
		found = strstr(entry->d_name, "portal") != NULL &&
			faccessat(dirfd(stream), entry->d_name, X_OK, 0) == 0;
	}
	if (stream) {
		closedir(stream);
	}
	return found;
}

void cli_read_services(struct services *services, const struct cli *cli) {
	const struct passwd *entry = getpwuid(getuid());
	struct rlimit limit;
	*services = (struct services){
		.root = getuid() == 0,
		.user = entry ? entry->pw_name : "this user",
		.kvm_there = access("/dev/kvm", F_OK) == 0,
		.kvm_allowed = access("/dev/kvm", R_OK | W_OK) == 0,
		.lock_limit = UINT64_MAX,
		.daemon = has_daemon(),
	};
	services->hook = has_hook(&services->hook_unseen);
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
		services->lock_limit = limit.rlim_cur;
	}
	read_libvirt(services);
	if (services->libvirt != 0) {
		read_lazy(services, cli->config);
	}
}

void cli_services_finish(struct services *services) {
	strings_finish(&services->lazy);
}
