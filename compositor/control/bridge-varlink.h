#ifndef PORTAL_BRIDGE_VARLINK_H
#define PORTAL_BRIDGE_VARLINK_H

#include <systemd/sd-varlink.h>

/*
 * org.portal.Bridge, the control socket of one guest's bridge, for portal-run, portalctl and
 * `varlinkctl introspect`. The definition is what both ends share; portal-bridge answers it.
 *
 * The socket is $XDG_RUNTIME_DIR/portal/bridge-NAME.varlink. portal-run makes and listens on it
 * before it starts the bridge, and hands it over as systemd does (LISTEN_FDS, one descriptor): so a
 * caller may connect from the first moment on, and needs no other sign that the bridge is there. A
 * bridge that was handed nothing makes the socket itself.
 */
extern const sd_varlink_interface vl_interface_org_portal_Bridge;

#define BRIDGE_METHOD_GET_STATE "org.portal.Bridge.GetState"
#define BRIDGE_METHOD_LAUNCH "org.portal.Bridge.Launch"
#define BRIDGE_METHOD_SIGNAL "org.portal.Bridge.Signal"
#define BRIDGE_METHOD_QUIT "org.portal.Bridge.Quit"

#define BRIDGE_ERROR_NOT_READY "org.portal.Bridge.NotReady"
#define BRIDGE_ERROR_LAUNCH_FAILED "org.portal.Bridge.LaunchFailed"
#define BRIDGE_ERROR_AGENT_LOST "org.portal.Bridge.AgentLost"
#define BRIDGE_ERROR_NO_SUCH_LAUNCH "org.portal.Bridge.NoSuchLaunch"

#endif
