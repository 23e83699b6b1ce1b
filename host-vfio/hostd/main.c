#include "hostd/host_interface.h"
#include "hostd/run.h"
#include "inventory/live.h"
#include "transaction/step.h"

/* `user` are the options. */
static struct step_host open_host(void *user) {
	const struct daemon_options *options = user;
	return (struct step_host){.tree = live_tree_create(options->root)};
}

int main(int argc, char **argv) {
	const struct daemon_options defaults = {
		.config = "/etc/portal/host.scfg",
		.state = "/var/lib/portal/host",
		.root = "/",
		.socket = HOST_SOCKET,
		.uri = "qemu:///system",
		.door_program = PORTAL_LIBEXECDIR "/portal-door",
		.patience_s = 120,
		.open_host = open_host,
	};
	return hostd_main(&defaults, argc, argv);
}
