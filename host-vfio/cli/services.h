#ifndef HOST_CLI_SERVICES_H
#define HOST_CLI_SERVICES_H

#include "cli/cli.h"
#include "doctor/services.h"
#include "heap/domain_usage.h"

/* Asks this machine: libvirt, portal-hostd, the rights of who runs portal-host. */
void cli_read_services(struct services *services, const struct cli *cli);
void cli_services_finish(struct services *services);
/* What the domains of a libvirt take. 0, or -1 with the reason; domain_usages_finish() either way.
 */
int cli_read_usages(
	const char *uri, struct domain_usage **usages, size_t *count, struct error *error);

#endif
