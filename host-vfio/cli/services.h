#ifndef HOST_CLI_SERVICES_H
#define HOST_CLI_SERVICES_H

#include "doctor/services.h"

/* Asks this machine: libvirt, portal-hostd, the rights of who runs portal-host. */
void cli_read_services(struct services *services);

#endif
