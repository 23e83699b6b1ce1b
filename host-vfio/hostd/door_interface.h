#ifndef HOST_HOSTD_DOOR_INTERFACE_H
#define HOST_HOSTD_DOOR_INTERFACE_H

#include <systemd/sd-varlink.h>

/*
 * org.portal.Door: what one controller VM may ask of its host, through portal-door, which
 * portal-hostd starts with a connection as descriptor 3. Which controller it is was fixed when the
 * connection was made; no parameter says so.
 */
extern const sd_varlink_interface vl_interface_org_portal_Door;

#define DOOR_METHOD_LIST_GUESTS "org.portal.Door.ListGuests"
#define DOOR_METHOD_START_GUEST "org.portal.Door.StartGuest"
#define DOOR_METHOD_STOP_GUEST "org.portal.Door.StopGuest"
#define DOOR_METHOD_REPORT_HEAP "org.portal.Door.ReportHeap"

/* Each has a field `reason`, a sentence for people. */
#define DOOR_ERROR_NO_SUCH_GUEST "org.portal.Door.NoSuchGuest"
#define DOOR_ERROR_REFUSED "org.portal.Door.Refused"
#define DOOR_ERROR_FAILED "org.portal.Door.Failed"
#define DOOR_ERROR_TIMEOUT "org.portal.Door.Timeout"
#define DOOR_ERROR_NO_LIBVIRT "org.portal.Door.NoLibvirt"

#endif
