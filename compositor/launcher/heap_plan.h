#ifndef PORTAL_LAUNCHER_HEAP_PLAN_H
#define PORTAL_LAUNCHER_HEAP_PLAN_H

#include "machine.h"
#include "paths.h"
#include "settings.h"

/*
 * Makes the heap of a domain that is off what the memory plan says, and changes the definition
 * where that is another size. A domain without a heap, or a guest without a plan, stays as it is.
 * RUN_OK, or says why the guest is not to start. Keep the lock until the domain runs, so that no
 * other start counts on the same memory.
 */
int heap_plan_apply(struct machine *machine, const struct settings *settings);
/* Returns a descriptor that holds the lock, or -1 after saying why not. */
int heap_plan_lock(const struct guest_paths *paths);

#endif
