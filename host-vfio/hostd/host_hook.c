#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "hostd/brain.h"
#include "hostd/guest_call.h"
#include "hostd/host_interface.h"
#include "hostd/host_methods.h"
#include "hostd/survey.h"

/* What libvirt's hook of a domain tells: libvirt.org/hooks.html, /etc/libvirt/hooks/qemu. */
struct hook {
	const char *domain, *operation;
	char **devices;
};

/* Everything but a start and an end. A VM with devices of the host can be neither saved nor moved:
 * what comes back from elsewhere has other devices in its memory. */
static int answer_other(sd_varlink *link, const struct hook *hook) {
	if (strcmp(hook->operation, "migrate") == 0 || strcmp(hook->operation, "restore") == 0) {
		return guest_refuse(link, HOST_INTERFACE, "Refused",
			"%s has devices of this host: it cannot be %s", hook->domain,
			strcmp(hook->operation, "migrate") == 0 ? "migrated" : "restored");
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
	if (!vm) {
		return sd_varlink_reply(link, NULL);
	}
	say(LOG_INFO, "libvirt: %s %s", hook->operation, hook->domain);
	if (strcmp(hook->operation, "prepare") == 0) {
		brain_claim(daemon, link, vm, hook->devices);
		return 0;
	}
	if (strcmp(hook->operation, "started") == 0 || strcmp(hook->operation, "reconnect") == 0) {
		brain_domain_changed(daemon, hook->domain, DOMAIN_RUNNING);
	} else if (strcmp(hook->operation, "release") == 0) {
		brain_released(daemon, vm);
	}
	return answer_other(link, hook);
}

HOST_METHOD(host_hook) {
	static const sd_json_dispatch_field table[] = {
		{"domain", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
			offsetof(struct hook, domain), SD_JSON_MANDATORY},
		{"operation", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
			offsetof(struct hook, operation), SD_JSON_MANDATORY},
		{"devices", SD_JSON_VARIANT_ARRAY, sd_json_dispatch_strv,
			offsetof(struct hook, devices), SD_JSON_NULLABLE},
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
