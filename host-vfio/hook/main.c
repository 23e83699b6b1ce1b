#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-varlink.h>
#include <unistd.h>

#include "hostd/host_interface.h"
#include "policy/policy.h"

/*
 * libvirt's hook for QEMU domains: tells portal-hostd what happens to one, and lets a controller or
 * the router start only when that says so. libvirt waits for it, and takes what it writes to
 * standard error into its own message. It asks libvirt nothing: that would wait for itself.
 */

static const char *get_environment(const char *name, const char *otherwise) {
	const char *value = getenv(name);
	return value && value[0] ? value : otherwise;
}

/* libvirt writes the definition there, and is to find a reader. */
static void drain_input(void) {
	char ignored[4096];
	while (read(STDIN_FILENO, ignored, sizeof(ignored)) > 0) {
	}
}

/* Without the daemon: is it a VM whose devices somebody has to see to? */
static bool is_known(const char *domain) {
	struct policy policy;
	struct error error;
	const char *path = get_environment("PORTAL_HOST_CONFIG", "/etc/portal/host.scfg");
	if (policy_load(&policy, path, &error) < 0) {
		fprintf(stderr, "portal: %s\n", error.text);
		return false;
	}
	bool known = policy_find_domain(&policy, domain) != NULL;
	policy_finish(&policy);
	return known;
}

/* Only a start can be held up. */
static int without_daemon(const char *domain, const char *operation, int result) {
	if (strcmp(operation, "prepare") != 0 || !is_known(domain)) {
		return EXIT_SUCCESS;
	}
	fprintf(stderr,
		"portal: %s is not started: portal-hostd, which gives it its devices, cannot be "
		"reached (%s); systemctl status portal-hostd says why\n",
		domain, strerror(-result));
	return EXIT_FAILURE;
}

static const char *reason_of(sd_json_variant *reply, const char *error) {
	sd_json_variant *reason = reply ? sd_json_variant_by_key(reply, "reason") : NULL;
	return reason && sd_json_variant_is_string(reason) ? sd_json_variant_string(reason) : error;
}

static int tell(sd_varlink *link, const char *domain, const char *operation) {
	sd_json_variant *reply = NULL;
	const char *error = NULL;
	/* How long it takes to make devices ready, the daemon knows. */
	sd_varlink_set_relative_timeout(link, UINT64_MAX);
	int result = sd_varlink_callbo(link, HOST_INTERFACE ".Hook", &reply, &error,
		SD_JSON_BUILD_PAIR_STRING("domain", domain),
		SD_JSON_BUILD_PAIR_STRING("operation", operation));
	if (result < 0) {
		return without_daemon(domain, operation, result);
	}
	if (error) {
		fprintf(stderr, "portal: %s: %s\n", domain, reason_of(reply, error));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
	if (argc < 3) {
		fputs("usage: portal-host-hook DOMAIN OPERATION [SUBOPERATION EXTRA]\n"
		      "libvirt runs it from /etc/libvirt/hooks/qemu.d; see portal-hostd(8).\n",
			stderr);
		return 2;
	}
	const char *domain = argv[1], *operation = argv[2];
	sd_varlink *link = NULL;
	if (!isatty(STDIN_FILENO)) {
		drain_input();
	}
	int result = sd_varlink_connect_address(
		&link, get_environment("PORTAL_HOST_SOCKET", HOST_SOCKET));
	int status = result < 0 ? without_daemon(domain, operation, result)
				: tell(link, domain, operation);
	sd_varlink_flush_close_unref(link);
	return status;
}
