#ifndef BRIDGE_SANDBOX_H
#define BRIDGE_SANDBOX_H

#include <stdint.h>

struct bridge_log;

/*
 * Gives up, for good, what the bridge does not need once it is set up: opening files, starting
 * programs, making and connecting sockets, tracing, new privileges. What this kernel does not have
 * is left out and said in one line; -1 after logging when something that should work did not.
 *
 * heap_size is what will be mapped yet, in bytes.
 */
int bridge_sandbox_enter(uint64_t heap_size, const struct bridge_log *log);

/* Of that the system calls only, which have to hold where the kernel's Landlock knows little. Needs
 * no_new_privs; returns as system_calls_confine(). */
int bridge_sandbox_filter(void);

#endif
