#ifndef PORTAL_LAUNCHER_HEAP_USE_H
#define PORTAL_LAUNCHER_HEAP_USE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "memory/scheme.h"

/*
 * What guests use of their heaps, and what their heaps are to be: the memory plan of
 * portal-host(5), from here. The history is kept by portal-hostd where it runs and takes it from
 * this user, else in the host's file where this user can write it, else in the user's own.
 */

/* For so many seconds the guest has used at most so many bytes. -1 with the reason. */
int heap_use_report(const char *guest, uint64_t bytes, long seconds, struct error *error);

/*
 * The heap at the next start, beside those that run: 1 with size and reason (the caller's), 0 when
 * there is no plan for this guest, -1 with the reason why it is not to start.
 */
int heap_use_plan(const struct scheme_running *running, size_t running_count,
	const struct scheme_start *start, uint64_t *heap, char **reason, struct error *error);
/* The same for a guest whose heap stays as it is: 0, or -1 with the reason. */
int heap_use_check(const struct scheme_running *running, size_t running_count,
	const struct scheme_start *start, struct error *error);

#endif
