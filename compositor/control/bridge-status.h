#ifndef BRIDGE_STATUS_H
#define BRIDGE_STATUS_H

/* Exit statuses; portal-bridge(1). */
enum bridge_status {
	BRIDGE_DONE = 0, /* asked to quit */
	BRIDGE_FAILURE = 1, /* something is wrong on this machine */
	BRIDGE_USAGE = 2,
	BRIDGE_COMPOSITOR = 3, /* there is none, or it went away */
	BRIDGE_UNREACHABLE = 4, /* nothing answers at the transport */
	BRIDGE_LOST = 5, /* the guest's end of the channel went away */
	BRIDGE_VIOLATION = 6, /* the guest broke a rule */
	BRIDGE_KEY = 7, /* the two ends do not have the same key */
	BRIDGE_VERSION = 8, /* no protocol version in common */
	BRIDGE_HEAP = 9, /* the heap is absent, or another than the agent's */
};

#endif
