#ifndef BRIDGE_OPTIONS_H
#define BRIDGE_OPTIONS_H

#include <stdbool.h>

#include "auth.h"
#include "heap.h"
#include "transport.h"

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

struct bridge_options {
	const char *vm; /* letters, digits, ".", "_" and "-" */
	const char *label; /* for people; the VM's name when not given */
	const char *transport_text, *heap_text; /* as given */
	struct portal_transport_address transport;
	struct portal_heap_address heap;
	bool has_key;
	uint8_t key[PORTAL_KEY_SIZE];
	bool wait; /* try again until the agent answers, and when it has gone */
};

/*
 * Reads the command line. Returns BRIDGE_DONE to go on, or prints what is wrong, or the help that
 * was asked for (*help), and returns the status to exit with.
 */
enum bridge_status bridge_options_parse(
	struct bridge_options *options, int argc, char **argv, bool *help);

#endif
