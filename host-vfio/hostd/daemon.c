#include "hostd/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/must.h"
#include "hostd/audit.h"
#include "hostd/authority.h"
#include "hostd/brain.h"
#include "hostd/door.h"
#include "hostd/guest_call.h"
#include "hostd/heaps.h"
#include "hostd/host_server.h"
#include "hostd/order.h"
#include "hostd/pace.h"
#include "hostd/survey.h"
#include "hostd/watchers.h"

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
	heaps_update(daemon);
	watchers_changed(daemon);
}

static void handle_state(
	void *data, const char *domain, int state, const struct memory_usage *usage) {
	struct daemon *daemon = data;
	bool former;
	bool changed = domains_set(&daemon->domains, domain, state, usage, &former);
	if (!former) {
		brain_domain_changed(daemon, domain, state);
	}
	if (changed && daemon->domains.known) {
		update(daemon);
	}
}

static void handle_usage(void *data, const char *domain, const struct memory_usage *usage) {
	struct daemon *daemon = data;
	if (domains_set_usage(&daemon->domains, domain, usage) && daemon->domains.known) {
		update(daemon);
	}
}

static void handle_ready(void *data) {
	struct daemon *daemon = data;
	domains_know(&daemon->domains);
	brain_states_known(daemon, true);
	say(LOG_INFO, "libvirt at %s answers", daemon->options->uri);
	update(daemon);
}

static void handle_lost(void *data, const char *reason) {
	struct daemon *daemon = data;
	if (daemon->domains.known || !daemon->domains.reason) {
		say(LOG_WARNING, "no libvirt at %s: %s", daemon->options->uri, reason);
	}
	domains_forget(&daemon->domains, reason);
	brain_states_known(daemon, false);
	update(daemon);
}

static const struct hypervisor_handlers hypervisor_handlers = {
	.state = handle_state,
	.usage = handle_usage,
	.ready = handle_ready,
	.lost = handle_lost,
};

static void watch_domains(struct daemon *daemon) {
	struct strings names = domain_names(&daemon->policy);
	domains_name(&daemon->domains, &names);
	hypervisor_watch(daemon->hypervisor, &names);
	strings_finish(&names);
}

void daemon_surveyed(struct daemon *daemon) {
	brain_decide(daemon);
	if (!daemon->ready) {
		daemon->ready = true;
		sd_notify(0, "READY=1"); /* from here on there is something to answer */
	}
}

void daemon_forget(struct daemon *daemon, const sd_varlink *link) {
	watchers_forget(daemon, link);
	guest_calls_forget(daemon, link);
	orders_forget(daemon, link);
	brain_forget(daemon, link);
	if (daemon->strangers) {
		pace_forget(daemon->strangers, link);
	}
}

/* What a person has written; -1 with the reason, and nothing to finish. */
static int read_files(const struct daemon_options *options, struct policy *policy,
	struct known *known, struct error *error) {
	if (policy_load(policy, options->config, error) < 0) {
		return -1;
	}
	if (access(options->config, F_OK) < 0 && errno == ENOENT) {
		say(LOG_NOTICE, "%s is not there: every device stays with the host",
			options->config);
	}
	char *path = must_print("%s/devices.scfg", options->state);
	int status = known_load(known, path, error);
	free(path);
	if (status < 0) {
		policy_finish(policy);
	}
	return status;
}

int daemon_reload(struct daemon *daemon, struct error *error) {
	struct policy policy;
	struct known known;
	if (read_files(daemon->options, &policy, &known, error) < 0) {
		return -1;
	}
	heaps_finish(daemon); /* they know the former policy's guests */
	policy_finish(&daemon->policy);
	known_finish(&daemon->known);
	daemon->policy = policy;
	daemon->known = known;
	brain_policy_changed(daemon);
	watch_domains(daemon);
	update(daemon);
	return 0;
}

static int open_all(struct daemon *daemon, struct error *error) {
	const struct daemon_options *options = daemon->options;
	if (sd_event_default(&daemon->loop) < 0) {
		return error_set(error, "no event loop");
	}
	if (read_files(options, &daemon->policy, &daemon->known, error) < 0) {
		return -1;
	}
	daemon->tree = options->open_host(options->user).tree;
	if (!daemon->tree) {
		return error_set(error, "%s: %s", options->root, strerror(errno));
	}
	daemon->hypervisor =
		hypervisor_create(daemon->loop, options->uri, &hypervisor_handlers, daemon);
	if (!daemon->hypervisor) {
		return error_set(error, "no event loop");
	}
	if (survey_init(daemon, error) < 0 || brain_init(daemon, error) < 0 ||
		doors_init(daemon, error) < 0 || host_server_init(daemon, error) < 0) {
		return -1;
	}
	watch_domains(daemon);
	survey_request(daemon);
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
	change_cancel(daemon);
	survey_finish(daemon);
	authority_finish(daemon);
	watchers_finish(daemon);
	guest_calls_finish(daemon);
	brain_finish(daemon);
	orders_finish(daemon);
	doors_finish(daemon);
	heaps_finish(daemon);
	host_server_finish(daemon);
	domains_finish(&daemon->domains);
	policy_finish(&daemon->policy);
	known_finish(&daemon->known);
	machine_finish(&daemon->machine);
	tree_destroy(daemon->tree);
	sd_event_unref(daemon->loop);
	free(daemon);
}
