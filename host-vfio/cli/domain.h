#ifndef HOST_CLI_DOMAIN_H
#define HOST_CLI_DOMAIN_H

#include <systemd/sd-event.h>

#include "cli/cli.h"
#include "domain/edit.h"
#include "domain/manager.h"
#include "edit/assign.h"

/* What the commands about libvirt's domains have in common. */

struct cli_libvirt {
	const char *uri;
	sd_event *loop;
	struct domain_manager *manager;
	char *name; /* the domain's, of whom the command line speaks */
	/* For the manager, before init; may be NULL. */
	domain_manager_handler handler;
	void *data;
};

/* Takes --connect out of the arguments: where libvirt is. */
const char *cli_libvirt_uri(struct cli *cli);
/* Connects to libvirt->uri (a viewer may only look) and finds the domain: by its name in libvirt,
 * or by the name of a controller or router of the policy. CLI_DONE, or another status after saying
 * why; cli_libvirt_finish() either way. */
int cli_libvirt_init(struct cli_libvirt *libvirt, struct cli *cli, const char *name, bool viewer);
void cli_libvirt_finish(struct cli_libvirt *libvirt);
/* Says what went wrong: an enum domain_failure in an exit status. */
int cli_libvirt_fail(const struct cli_libvirt *libvirt, int failure, const struct error *error);

/* What the options of `domain edit` say. */
struct domain_options {
	bool apply;
	const char *expect; /* the token of a change that was shown, or NULL */
	bool pin_auto;
	struct strings guests; /* NAME or NAME=DOMAIN, of --guest */
	struct domain_spec spec; /* the domain's own heap, channel and key */
	bool has_door; /* --door */
	struct host_port door;
	struct domain_edit edit; /* points into what follows */
	struct assignment assignment;
	struct findings findings;
	struct domain_address *removed_hostdevs;
	struct domain_pin *pins;
	struct domain_evdev *evdevs;
	const char **removed_evdevs, **removed_peers;
	struct strings texts;
};

/* Takes them out of the arguments. CLI_DONE or another status after saying why; finish either way.
 */
int domain_options_read(struct domain_options *options, struct cli *cli);
void domain_options_finish(struct domain_options *options);

/* --pin auto: fills in the pins for as many virtual processors as the domain has. CLI_DONE or
 * another status after saying why. */
int domain_suggest_pins(
	struct cli *cli, const struct cli_libvirt *libvirt, struct domain_options *options);
/* Adds what is to be said to the definition as it is to become. CLI_DONE or another status. */
int domain_check_result(struct cli *cli, struct domain_options *options, const char *definition);

/* --door: fills in what the policy says of this controller's. CLI_DONE or another status after
 * saying why. */
int domain_find_door(
	struct cli *cli, const struct cli_libvirt *libvirt, struct domain_options *options);
/* Makes its key where there is none yet; the same statuses. */
int domain_make_door_key(const struct domain_options *options);

int cli_domain_show(struct cli *cli);
int cli_domain_edit(struct cli *cli);

#endif
