#ifndef HOST_HOSTD_HOST_SERVER_H
#define HOST_HOSTD_HOST_SERVER_H

#include "hostd/daemon.h"

/* org.portal.Host: the socket (from systemd where it hands one over), and its methods. */
int host_server_init(struct daemon *daemon, struct error *error);
void host_server_finish(struct daemon *daemon);

#endif
