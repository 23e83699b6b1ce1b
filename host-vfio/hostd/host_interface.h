#ifndef HOST_HOSTD_HOST_INTERFACE_H
#define HOST_HOSTD_HOST_INTERFACE_H

#include <systemd/sd-varlink.h>

/* org.portal.Host, at /run/portal/hostd: portal-hostd(8). What both ends share. */
extern const sd_varlink_interface vl_interface_org_portal_Host;

#define HOST_SOCKET "/run/portal/hostd"
#define HOST_INTERFACE "org.portal.Host"

#endif
