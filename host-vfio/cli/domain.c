#include "cli/domain.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "heap/start_needs.h"
#include "policy/policy.h"

#define URI_DEFAULT "qemu:///system"

const char *cli_libvirt_uri(struct cli *cli) {
	const char *uri = cli_option(cli, "--connect");
	return uri != NULL ? uri : URI_DEFAULT;
}

int cli_libvirt_fail(const struct cli_libvirt *libvirt, int failure, const struct error *error) {
	switch (failure) {
	case DOMAIN_FAILURE_CONNECT:
		return cli_fail(CLI_FAILED,
			"libvirt does not answer at %s: %s; is libvirtd (or virtqemud) running?",
			libvirt->uri, error->text);
	case DOMAIN_FAILURE_ABSENT:
		return cli_fail(CLI_FAILED,
			"libvirt has no domain %s at %s (\"virsh list --all\" shows them)",
			libvirt->name, libvirt->uri);
	case DOMAIN_FAILURE_DENIED:
		return cli_fail(CLI_REFUSED, "libvirt lets you only look at %s: %s", libvirt->uri,
			error->text);
	case DOMAIN_FAILURE_CHANGED:
		return cli_fail(CLI_REFUSED,
			"%s is not what the change was made for: %s; nothing was changed",
			libvirt->name, error->text);
	default:
		return cli_fail(CLI_FAILED, "%s: %s", libvirt->name, error->text);
	}
}

/* The domain of a controller or router of the policy; NULL when there is no such VM. */
static char *find_in_policy(const struct cli *cli, const char *name) {
	struct policy policy;
	if (policy_load(&policy, cli->config, NULL) < 0) {
		return NULL;
	}
	const struct policy_vm *vm = policy_find_vm(&policy, name);
	char *domain = vm == NULL ? NULL : must_copy(vm->domain);
	policy_finish(&policy);
	return domain;
}

static int find_domain(struct cli_libvirt *libvirt, struct cli *cli) {
	struct error error;
	enum domain_state state;
	int failure = domain_manager_get_state(libvirt->manager, libvirt->name, &state, &error);
	if (failure == 0 && state == DOMAIN_ABSENT) {
		char *domain = find_in_policy(cli, libvirt->name);
		if (domain == NULL) {
			return cli_libvirt_fail(libvirt, DOMAIN_FAILURE_ABSENT, &error);
		}
		free(libvirt->name);
		libvirt->name = domain;
	}
	return failure < 0 ? cli_libvirt_fail(libvirt, failure, &error) : CLI_DONE;
}

int cli_libvirt_init(struct cli_libvirt *libvirt, struct cli *cli, const char *name, bool viewer) {
	struct error error;
	libvirt->name = must_copy(name);
	if (sd_event_new(&libvirt->loop) < 0) {
		return cli_fail(CLI_FAILED, "out of memory");
	}
	libvirt->manager =
		viewer ? domain_manager_create_viewer(libvirt->uri, libvirt->loop, &error)
		       : domain_manager_create(libvirt->uri, libvirt->loop, libvirt->handler,
				 libvirt->data, &error);
	if (libvirt->manager == NULL) {
		return cli_libvirt_fail(libvirt, DOMAIN_FAILURE_CONNECT, &error);
	}
	return find_domain(libvirt, cli);
}

void cli_libvirt_finish(struct cli_libvirt *libvirt) {
	domain_manager_destroy(libvirt->manager);
	sd_event_unref(libvirt->loop);
	free(libvirt->name);
}

/* What one that runs has, its next start may want otherwise. */
static int check_is_off(const struct cli_libvirt *libvirt) {
	struct error error;
	enum domain_state state;
	int failure = domain_manager_get_state(libvirt->manager, libvirt->name, &state, &error);
	if (failure < 0) {
		return cli_libvirt_fail(libvirt, failure, &error);
	}
	return state == DOMAIN_OFF
		       ? CLI_DONE
		       : cli_fail(CLI_REFUSED, "%s runs: this is for its start", libvirt->name);
}

static int cli_domain_prepare(struct cli *cli) {
	struct cli_libvirt libvirt = {.uri = cli_libvirt_uri(cli)};
	struct error error;
	struct strings problems = {0};
	struct domain_dac dac;
	char *xml = NULL;
	int status = cli_check_args(cli, 1, 1);
	if (status == CLI_DONE) {
		status = cli_libvirt_init(&libvirt, cli, cli->args[0], true);
	}
	if (status == CLI_DONE) {
		int failure =
			domain_manager_get_xml(libvirt.manager, libvirt.name, false, &xml, &error);
		status = failure < 0 ? cli_libvirt_fail(&libvirt, failure, &error) : CLI_DONE;
	}
	if (status == CLI_DONE) {
		status = check_is_off(&libvirt);
	}
	if (status == CLI_DONE) {
		int failure = domain_manager_get_dac(libvirt.manager, xml, &dac, &error);
		status = failure < 0 ? cli_libvirt_fail(&libvirt, failure, &error) : CLI_DONE;
	}
	if (status == CLI_DONE) {
		start_needs_make(xml, &dac, &problems);
	}
	for (size_t i = 0; i < problems.count; i++) {
		status = cli_fail(CLI_FAILED, "%s: %s", libvirt.name, problems.items[i]);
	}
	strings_finish(&problems);
	free(xml);
	cli_libvirt_finish(&libvirt);
	return status;
}

int cli_domain(struct cli *cli) {
	static const struct {
		const char *name;
		int (*run)(struct cli *cli);
	} verbs[] = {{"show", cli_domain_show}, {"edit", cli_domain_edit},
		{"prepare", cli_domain_prepare}};
	for (size_t i = 0; cli->args_count > 0 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(cli->args[0], verbs[i].name) == 0) {
			cli->args++;
			cli->args_count--;
			return verbs[i].run(cli);
		}
	}
	return cli_fail(CLI_USAGE,
		"expected: domain show DOMAIN, domain edit DOMAIN [OPTION]..., or "
		"domain prepare DOMAIN");
}
