#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "hostd/brain.h"
#include "hostd/budget.h"
#include "hostd/guest_call.h"
#include "hostd/host_interface.h"
#include "hostd/host_methods.h"
#include "hostd/survey.h"
#include "hostd/usage_json.h"

/* What libvirt's hook of a domain tells: libvirt.org/hooks.html, /etc/libvirt/hooks/qemu. */
struct hook {
	const char *domain, *operation;
	char **devices;
	sd_json_variant *usage; /* usage_json.h */
	uint64_t lock_limit; /* bytes; 0: libvirt may lock what it wants */
};

/* Everything but a start and an end. A VM with devices of the host in its definition can be neither
 * saved nor moved: what comes back from elsewhere has other devices in its memory. */
static int answer_other(sd_varlink *link, const struct hook *hook) {
	bool moves =
		strcmp(hook->operation, "migrate") == 0 || strcmp(hook->operation, "restore") == 0;
	if (moves && hook->devices && hook->devices[0]) {
		return guest_refuse(link, HOST_INTERFACE, "Refused",
			"%s has devices of this host: it cannot be %s", hook->domain,
			strcmp(hook->operation, "migrate") == 0 ? "migrated" : "restored");
	}
	return sd_varlink_reply(link, NULL);
}

/* A VM of the policy has devices: can its memory be locked for them? */
static int check_locks(struct daemon *daemon, const struct policy_vm *vm, uint64_t lock_limit,
	struct error *error) {
	struct preflight_vm memory;
	struct findings findings = {0};
	if (budget_preflight(daemon, vm->domain, &memory)) {
		memory.starter_limit = lock_limit;
		preflight_memory(&findings, daemon->tree, &memory);
	}
	int status = findings_refuse(&findings, error);
	findings_finish(&findings);
	return status;
}

/* Any other one's: are its huge pages there? */
static int check_pages(struct daemon *daemon, const char *domain, struct error *error) {
	struct preflight_vm memory;
	struct findings findings = {0};
	if (daemon->policy.memory.planned && budget_preflight(daemon, domain, &memory)) {
		preflight_pages(&findings, daemon->tree, &memory);
	}
	int status = findings_refuse(&findings, error);
	findings_finish(&findings);
	return status;
}

/* Any domain: what the policy does not name takes memory, too. A controller that has to wait for
 * others to end hears that first, so those do not count here. */
static int claim_memory(struct daemon *daemon, const struct hook *hook, const struct policy_vm *vm,
	struct error *error) {
	struct memory_usage usage;
	struct strings leaving = {0};
	bool told = usage_json_read(&usage, hook->usage);
	if (vm && vm->role == POLICY_ROLE_CONTROLLER) {
		leaving = brain_rivals(daemon, vm);
	}
	int status = budget_claim(daemon, hook->domain, told ? &usage : NULL, &leaving, error);
	memory_usage_finish(&usage);
	strings_finish(&leaving);
	return status;
}

static int answer_start(struct daemon *daemon, sd_varlink *link, const struct hook *hook,
	const struct policy_vm *vm) {
	struct error error;
	int status = claim_memory(daemon, hook, vm, &error);
	if (status < 0) {
		guest_calls_no_room(daemon, hook->domain, error.text);
	} else {
		status = vm ? check_locks(daemon, vm, hook->lock_limit, &error)
			    : check_pages(daemon, hook->domain, &error);
	}
	if (status < 0) {
		domains_release(&daemon->domains, hook->domain);
		say(LOG_WARNING, "%s may not start: %s", hook->domain, error.text);
		return guest_refuse(link, HOST_INTERFACE, "Refused", "%s", error.text);
	}
	if (vm) {
		brain_claim(daemon, link, vm, hook->devices);
		return 0;
	}
	return sd_varlink_reply(link, NULL);
}

static int answer(struct daemon *daemon, sd_varlink *link, const struct hook *hook) {
	uid_t uid;
	if (sd_varlink_get_peer_uid(link, &uid) < 0 || uid != 0) {
		return guest_refuse(link, HOST_INTERFACE, "NotAuthorized",
			"only libvirt's hook, which is root, may say so");
	}
	const struct policy_vm *vm = policy_find_domain(&daemon->policy, hook->domain);
	if (vm) {
		say(LOG_INFO, "libvirt: %s %s", hook->operation, hook->domain);
	}
	/* Before QEMU is run libvirt tells once more. A start that is not expected any more, by a
	 * daemon that came again or that has given it up, may have lost its devices. */
	bool forgotten = strcmp(hook->operation, "start") == 0 && vm && !brain_expects(daemon, vm);
	if (forgotten || strcmp(hook->operation, "prepare") == 0) {
		return answer_start(daemon, link, hook, vm);
	}
	if (strcmp(hook->operation, "started") == 0 || strcmp(hook->operation, "reconnect") == 0) {
		domains_started(&daemon->domains, hook->domain);
		brain_domain_changed(daemon, hook->domain, DOMAIN_RUNNING);
	} else if (strcmp(hook->operation, "release") == 0) {
		domains_release(&daemon->domains, hook->domain);
		if (vm) {
			brain_released(daemon, vm);
		}
	}
	return vm ? answer_other(link, hook) : sd_varlink_reply(link, NULL);
}

HOST_METHOD(host_hook) {
	static const sd_json_dispatch_field table[] = {
		{"domain", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
			offsetof(struct hook, domain), SD_JSON_MANDATORY},
		{"operation", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
			offsetof(struct hook, operation), SD_JSON_MANDATORY},
		{"devices", SD_JSON_VARIANT_ARRAY, sd_json_dispatch_strv,
			offsetof(struct hook, devices), SD_JSON_NULLABLE},
		{"usage", SD_JSON_VARIANT_OBJECT, sd_json_dispatch_variant_noref,
			offsetof(struct hook, usage), SD_JSON_NULLABLE},
		{"lockLimit", _SD_JSON_VARIANT_TYPE_INVALID, sd_json_dispatch_uint64,
			offsetof(struct hook, lock_limit), SD_JSON_NULLABLE},
		{0},
	};
	struct daemon *daemon = data;
	struct hook hook = {0};
	int result = sd_varlink_dispatch(link, parameters, table, &hook);
	if (result != 0) {
		return result;
	}
	result = answer(daemon, link, &hook);
	for (size_t i = 0; hook.devices && hook.devices[i]; i++) {
		free(hook.devices[i]);
	}
	free(hook.devices);
	return result;
}
