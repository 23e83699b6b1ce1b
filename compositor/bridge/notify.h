#ifndef BRIDGE_NOTIFY_H
#define BRIDGE_NOTIFY_H

/*
 * systemd's readiness protocol, sd_notify(3), in two steps: the sandbox does not let sd_notify()
 * make its socket. Returns a connected descriptor, or -1 when nobody wants to know.
 */
int bridge_notify_open(void);

/* Says READY=1 and closes; -1 is fine. */
void bridge_notify_ready(int *fd);

#endif
