#ifndef BRIDGE_OPTIONS_H
#define BRIDGE_OPTIONS_H

#include <stdbool.h>

#include "auth.h"
#include "bridge-status.h"
#include "heap.h"
#include "transport.h"

struct bridge_options {
	const char *vm; /* letters, digits, ".", "_" and "-" */
	const char *label; /* for people; the VM's name when not given */
	const char *transport_text, *heap_text; /* as given */
	struct portal_transport_address transport;
	struct portal_heap_address heap;
	bool has_key;
	uint8_t key[PORTAL_KEY_SIZE];
	bool copy; /* the pixels out of the heap before the compositor reads them, fast or not */
	bool wait; /* try again until the agent answers, and when it has gone */
};

/*
 * Reads the command line. Returns BRIDGE_DONE to go on, or prints what is wrong, or the help that
 * was asked for (*help), and returns the status to exit with.
 */
enum bridge_status bridge_options_parse(
	struct bridge_options *options, int argc, char **argv, bool *help);

#endif
