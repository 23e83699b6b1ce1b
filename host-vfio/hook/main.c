#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-varlink.h>
#include <unistd.h>

#include "base/must.h"
#include "base/strings.h"
#include "domain/dac.h"
#include "domain/document.h"
#include "domain/hostdev.h"
#include "heap/domain_usage.h"
#include "heap/start_needs.h"
#include "hostd/host_interface.h"
#include "hostd/usage_json.h"
#include "inventory/json.h"
#include "policy/policy.h"
#include "window/hook.h"

/*
 * libvirt's hook for QEMU domains: tells portal-hostd what happens to one, and lets it start only
 * when that says so. libvirt waits for it, and takes what it writes to
 * standard error into its own message. It asks libvirt nothing: that would wait for itself.
 */

static const char *get_environment(const char *name, const char *otherwise) {
	const char *value = getenv(name);
	return value && value[0] ? value : otherwise;
}

/* More than any definition has. */
enum { DEFINITION_MAX = 16 * 1024 * 1024 };

/* What libvirt writes to standard input, which is to find a reader in any case; the caller's. */
static char *read_definition(void) {
	char *text = NULL;
	size_t size = 0, capacity = 0;
	for (;;) {
		if (size + 4096 + 1 > capacity) {
			char *grown = realloc(text, capacity = capacity * 2 + 8192);
			if (!grown) {
				break;
			}
			text = grown;
		}
		ssize_t count = read(STDIN_FILENO, text + size, 4096);
		if (count <= 0) {
			text[size] = '\0';
			return text;
		}
		size = size < DEFINITION_MAX ? size + (size_t)count : size;
	}
	free(text);
	return NULL;
}

/* The host's PCI devices that the domain is defined with. */
static struct strings find_devices(const char *definition) {
	struct strings devices = {0};
	xmlDoc *document = definition ? domain_document_parse(definition, NULL) : NULL;
	if (document) {
		devices = hostdev_list(xmlDocGetRootElement(document));
		xmlFreeDoc(document);
	}
	return devices;
}

/* Nobody knows whose the devices are. A VM that has none in its definition takes nothing from
 * anybody, and is started; a controller among them finds no devices. */
static int without_policy(
	const char *domain, const struct strings *devices, const struct error *error) {
	if (devices->count == 0) {
		fprintf(stderr,
			"portal: %s is started, since it has no PCI device of the host in its "
			"definition; but the policy cannot be read (%s), and portal-hostd not be "
			"reached\n",
			domain, error->text);
		return EXIT_SUCCESS;
	}
	fprintf(stderr,
		"portal: %s is not started: it has %s%s of the host, and whether it may have that "
		"is not known, since the policy cannot be read (%s) and portal-hostd not be "
		"reached; mend the policy, and run \"systemctl restart portal-hostd\"\n",
		domain, devices->items[0], devices->count > 1 ? " and more" : "", error->text);
	return EXIT_FAILURE;
}

/* Only a start can be held up: of a VM whose devices somebody has to see to. */
static int without_daemon(
	const char *domain, const char *operation, const struct strings *devices, int result) {
	struct policy policy;
	struct error error;
	const char *path = get_environment("PORTAL_HOST_CONFIG", "/etc/portal/host.scfg");
	if (strcmp(operation, "prepare") != 0) {
		return EXIT_SUCCESS;
	}
	if (policy_load(&policy, path, &error) < 0) {
		return without_policy(domain, devices, &error);
	}
	bool known = policy_find_domain(&policy, domain) != NULL;
	policy_finish(&policy);
	if (!known) {
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

/* How many bytes libvirt, whose child this is, may have a VM lock; 0: as many as it wants. Whether
 * it can raise its limit is for the kernel to say. */
static uint64_t find_lock_limit(void) {
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	struct rlimit limit;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_max == RLIM_INFINITY ||
		setrlimit(RLIMIT_MEMLOCK, &all) == 0) {
		return 0;
	}
	return limit.rlim_max;
}

/* The caller's. */
static sd_json_variant *make_call(const char *domain, const char *operation, const char *definition,
	const struct strings *devices) {
	sd_json_variant *call = NULL, *list = json_array();
	struct memory_usage usage;
	for (size_t i = 0; i < devices->count; i++) {
		json_append_string(&list, devices->items[i]);
	}
	json_set_string(&call, "domain", domain);
	json_set_string(&call, "operation", operation);
	json_set(&call, "devices", list);
	if (strcmp(operation, "prepare") != 0) {
		return call;
	}
	if (definition && domain_usage_read(&usage, NULL, definition, NULL) == 0) {
		json_set(&call, "usage", usage_json(&usage));
		memory_usage_finish(&usage);
	}
	uint64_t limit = devices->count > 0 ? find_lock_limit() : 0;
	if (limit > 0) {
		json_set_number(&call, "lockLimit", limit);
	}
	return call;
}

static int tell(sd_varlink *link, const char *domain, const char *operation, const char *definition,
	const struct strings *devices) {
	sd_json_variant *reply = NULL;
	const char *error = NULL;
	/* How long it takes to make devices ready, the daemon knows. */
	sd_varlink_set_relative_timeout(link, UINT64_MAX);
	sd_json_variant *call = make_call(domain, operation, definition, devices);
	int result = sd_varlink_call(link, HOST_INTERFACE ".Hook", call, &reply, &error);
	sd_json_variant_unref(call);
	if (result < 0) {
		return without_daemon(domain, operation, devices, result);
	}
	if (error) {
		fprintf(stderr, "portal: %s: %s\n", domain, reason_of(reply, error));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

/* The kernel's boot id; the caller's, NULL when it cannot be read. */
static char *read_boot(void) {
	char *line = NULL;
	size_t size = 0;
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	if (file && getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
	}
	if (file) {
		fclose(file);
	}
	return line;
}

/* The group that the policy lets in while a VM starts; the caller's, NULL for none. */
static char *read_group(void) {
	struct policy policy;
	const char *path = get_environment("PORTAL_HOST_CONFIG", "/etc/portal/host.scfg");
	if (policy_load(&policy, path, NULL) < 0) {
		return NULL; /* the daemon complains of it */
	}
	char *group = must_copy(policy.config_space);
	policy_finish(&policy);
	return group;
}

/* For QEMUs that want it, and where the policy says so: who may write configuration space. What is
 * open is closed whatever the policy says by now. */
static int follow_window(const char *domain, const char *operation, const char *definition) {
	struct error error;
	char *group = window_hook_opens(operation) ? read_group() : NULL;
	char *boot = read_boot();
	const struct config_window_host host = {
		.root = "/",
		.directory = "/var/lib/portal/host/config-space",
		.boot = boot ? boot : "",
	};
	int result =
		window_hook(&host, group, domain, operation, definition ? definition : "", &error);
	if (result < 0) {
		fprintf(stderr, "portal: %s: %s\n", domain, error.text);
	}
	free(boot);
	free(group);
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The daemon's answer, or what is to become of it without one. */
static int ask_daemon(const char *domain, const char *operation, const char *definition,
	const struct strings *devices) {
	sd_varlink *link = NULL;
	int result = sd_varlink_connect_address(
		&link, get_environment("PORTAL_HOST_SOCKET", HOST_SOCKET));
	int status = result < 0 ? without_daemon(domain, operation, devices, result)
				: tell(link, domain, operation, definition, devices);
	sd_varlink_flush_close_unref(link);
	return status;
}

/*
 * What its start wants beside it. libvirt has said by now which user QEMU runs as, and looks at the
 * files only later. What they lack beside that, libvirt or QEMU says then; but not where others
 * would see a guest's windows.
 */
static int make_needs(const char *domain, const char *definition) {
	struct strings problems = {0};
	struct domain_dac dac;
	struct error error;
	int result = START_NEEDS_REFUSED;
	if (domain_dac_read(&dac, definition, NULL, &error) < 0) {
		strings_add(&problems, error.text);
	} else {
		result = start_needs_make(definition, &dac, &problems);
	}
	for (size_t i = 0; i < problems.count; i++) {
		fprintf(stderr, "portal: %s: %s\n", domain, problems.items[i]);
	}
	strings_finish(&problems);
	return result <= START_NEEDS_UNMADE ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A domain is to start. Windows open when its devices are ready. */
static int prepare(const char *domain, const char *operation, const char *definition) {
	struct strings devices = find_devices(definition);
	int status = ask_daemon(domain, operation, definition, &devices);
	strings_finish(&devices);
	return status == EXIT_SUCCESS ? follow_window(domain, operation, definition) : status;
}

/* It starts, has started, or ended, or is about to come from elsewhere. What is open is closed
 * first: the daemon may take its time. */
static int follow(const char *domain, const char *operation, const char *definition) {
	struct strings devices = find_devices(definition);
	int window = follow_window(domain, operation, definition);
	int status = ask_daemon(domain, operation, definition, &devices);
	strings_finish(&devices);
	if (status == EXIT_SUCCESS && strcmp(operation, "start") == 0 && definition) {
		status = make_needs(domain, definition);
	}
	return status == EXIT_SUCCESS ? window : status;
}

int main(int argc, char **argv) {
	if (argc < 3) {
		fputs("usage: portal-host-hook DOMAIN OPERATION [SUBOPERATION EXTRA]\n"
		      "libvirt runs it from /etc/libvirt/hooks/qemu.d; see portal-hostd(8).\n",
			stderr);
		return 2;
	}
	const char *domain = argv[1], *operation = argv[2];
	char *definition = isatty(STDIN_FILENO) ? NULL : read_definition();
	int status = window_hook_opens(operation) ? prepare(domain, operation, definition)
						  : follow(domain, operation, definition);
	free(definition);
	return status;
}
