#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "auth.h"
#include "base/must.h"
#include "cli/domain.h"
#include "policy/policy.h"
#include "transport.h"

/* --door of `domain edit`: what the policy says of a controller's door, in its definition. */

static int read_door(struct domain_options *options, const struct policy_vm *vm) {
	struct portal_transport_address address;
	const char *why;
	if (portal_transport_parse(&address, vm->door, &why) < 0) {
		return cli_fail(
			CLI_REFUSED, "the door of controller %s, %s: %s", vm->name, vm->door, why);
	}
	if (vm->door_key == NULL) {
		return cli_fail(CLI_REFUSED,
			"the door of controller %s has no key: name a file for it behind \"door "
			"%s\"",
			vm->name, vm->door);
	}
	char *key = must_copy(vm->door_key);
	strings_take(&options->texts, key);
	options->door.key = key;
	switch (address.kind) {
	case PORTAL_TRANSPORT_VIRTIO_SERIAL:
		options->door.socket = must_copy(address.path);
		strings_take(&options->texts, (char *)options->door.socket);
		break;
	case PORTAL_TRANSPORT_UNIX:
		return cli_fail(CLI_REFUSED,
			"the door of controller %s is at %s, where no virtual machine comes: "
			"virtio-serial:SOCKET makes a port of its own",
			vm->name, vm->door);
	default:
		findings_add(&options->findings, false,
			"the door of %s is at %s, so it gets no port, only the key: it needs a "
			"vsock",
			vm->name, vm->door);
	}
	if (strncmp(key, "/etc/", 5) == 0) {
		findings_add(&options->findings, false,
			"the key %s is below /etc: where AppArmor confines virtual machines, "
			"libvirt "
			"starts none that reads a file there; /var/lib/portal is a place for it",
			key);
	}
	if (access(key, F_OK) < 0) {
		findings_add(&options->findings, false, "the key %s is made with the change", key);
	}
	options->edit.door = &options->door;
	return CLI_DONE;
}

int domain_find_door(
	struct cli *cli, const struct cli_libvirt *libvirt, struct domain_options *options) {
	struct policy policy;
	struct error error;
	if (!options->has_door) {
		return CLI_DONE;
	}
	if (policy_load(&policy, cli->config, &error) < 0) {
		return cli_fail(CLI_FAILED, "%s", error.text);
	}
	const struct policy_vm *vm = policy_find_domain(&policy, libvirt->name);
	int status = vm != NULL && vm->door != NULL
			     ? read_door(options, vm)
			     : cli_fail(CLI_REFUSED,
				       "%s gives no controller with domain %s a door: its block "
				       "wants a line \"door virtio-serial:SOCKET KEY\"",
				       cli->config, libvirt->name);
	policy_finish(&policy);
	return status;
}

int domain_make_door_key(const struct domain_options *options) {
	const char *key = options->door.key;
	if (options->edit.door == NULL || access(key, F_OK) == 0 ||
		portal_auth_create_key(key) == 0 || errno == EEXIST) {
		return CLI_DONE;
	}
	return cli_fail(CLI_FAILED, "the key %s: %s", key, strerror(errno));
}
