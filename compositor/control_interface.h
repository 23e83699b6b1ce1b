#ifndef CONTROL_INTERFACE_H
#define CONTROL_INTERFACE_H

#include <systemd/sd-varlink-idl.h>

#define CONTROL_INTERFACE "org.portal.Controller"

extern const sd_varlink_interface vl_interface_org_portal_Controller;

#endif
