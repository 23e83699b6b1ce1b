#include "hostd/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/must.h"
#include "hostd/audit.h"
#include "hostd/authority.h"
#include "hostd/door.h"
#include "hostd/guest_call.h"
#include "hostd/host_server.h"
#include "hostd/order.h"
#include "hostd/watchers.h"
#include "tree/directory.h"

/* Every domain that the policy has to do with. */
static struct strings domain_names(const struct policy *policy) {
	struct strings names = {0}, guests = guest_names(policy, NULL);
	for (size_t i = 0; i < policy->vms_count; i++) {
		strings_add(&names, policy->vms[i].domain);
	}
	for (size_t i = 0; i < guests.count; i++) {
		const char *domain = policy_guest_domain(policy, guests.items[i]);
		if (!strings_contain(&names, domain)) {
			strings_add(&names, domain);
		}
	}
	strings_finish(&guests);
	return names;
}

static void update(struct daemon *daemon) {
	guest_calls_update(daemon);
	doors_update(daemon);
	watchers_changed(daemon);
}

static void handle_state(void *data, const char *domain, int state, uint64_t heap_size) {
	struct daemon *daemon = data;
	if (domains_set(&daemon->domains, domain, state, heap_size) && daemon->domains.known) {
		update(daemon);
	}
}

static void handle_ready(void *data) {
	struct daemon *daemon = data;
	domains_know(&daemon->domains);
	say(LOG_INFO, "libvirt at %s answers", daemon->options->uri);
	update(daemon);
}

static void handle_lost(void *data, const char *reason) {
	struct daemon *daemon = data;
	if (daemon->domains.known || !daemon->domains.reason) {
		say(LOG_WARNING, "no libvirt at %s: %s", daemon->options->uri, reason);
	}
	domains_forget(&daemon->domains, reason);
	update(daemon);
}

static const struct hypervisor_handlers hypervisor_handlers = {
	.state = handle_state,
	.ready = handle_ready,
	.lost = handle_lost,
};

static void watch_domains(struct daemon *daemon) {
	struct strings names = domain_names(&daemon->policy);
	domains_name(&daemon->domains, &names);
	hypervisor_watch(daemon->hypervisor, &names);
	strings_finish(&names);
}

int daemon_reload(struct daemon *daemon, struct error *error) {
	struct policy policy;
	if (policy_load(&policy, daemon->options->config, error) < 0) {
		return -1;
	}
	policy_finish(&daemon->policy);
	daemon->policy = policy;
	watch_domains(daemon);
	update(daemon);
	return 0;
}

static int open_all(struct daemon *daemon, struct error *error) {
	const struct daemon_options *options = daemon->options;
	if (sd_event_default(&daemon->loop) < 0) {
		return error_set(error, "no event loop");
	}
	if (policy_load(&daemon->policy, options->config, error) < 0) {
		return -1;
	}
	daemon->tree = directory_tree_create(options->root);
	if (!daemon->tree) {
		return error_set(error, "%s: %s", options->root, strerror(errno));
	}
	daemon->hypervisor =
		hypervisor_create(daemon->loop, options->uri, &hypervisor_handlers, daemon);
	if (!daemon->hypervisor) {
		return error_set(error, "no event loop");
	}
	if (doors_init(daemon, error) < 0 || host_server_init(daemon, error) < 0) {
		return -1;
	}
	watch_domains(daemon);
	return 0;
}

struct daemon *daemon_create(const struct daemon_options *options, struct error *error) {
	struct daemon *daemon = must_alloc(1, sizeof(*daemon));
	daemon->options = options;
	if (open_all(daemon, error) < 0) {
		daemon_destroy(daemon);
		return NULL;
	}
	return daemon;
}

void daemon_destroy(struct daemon *daemon) {
	if (!daemon) {
		return;
	}
	hypervisor_destroy(daemon->hypervisor);
	authority_finish(daemon);
	watchers_finish(daemon);
	guest_calls_finish(daemon);
	orders_finish(daemon);
	doors_finish(daemon);
	host_server_finish(daemon);
	domains_finish(&daemon->domains);
	policy_finish(&daemon->policy);
	tree_destroy(daemon->tree);
	sd_event_unref(daemon->loop);
	free(daemon);
}
