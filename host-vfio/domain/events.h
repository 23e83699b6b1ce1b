#ifndef HOST_DOMAIN_EVENTS_H
#define HOST_DOMAIN_EVENTS_H

#include <systemd/sd-event.h>

/*
 * libvirt's event loop interface (virEventRegisterImpl) on an sd-event loop, so that one loop
 * serves libvirt, varlink and signals. Call once in a process, before the first connection; the
 * loop must live as long as the process uses libvirt.
 */
void domain_events_register(sd_event *loop);

/*
 * Frees what libvirt has let go of, which else the loop does in its next turn. Not from within one
 * of libvirt's callbacks.
 */
void domain_events_flush(void);

#endif
