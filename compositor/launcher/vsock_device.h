#ifndef PORTAL_LAUNCHER_VSOCK_DEVICE_H
#define PORTAL_LAUNCHER_VSOCK_DEVICE_H

/*
 * vhost-device-vsock, for a guest whose definition has a vhost-user vsock device: starts one that
 * serves `socket` unless one does. It lives on, through the guest's restarts. RUN_OK, or says what
 * is wrong and returns a status.
 */
int vsock_device_start(const char *socket, unsigned cid);

#endif
