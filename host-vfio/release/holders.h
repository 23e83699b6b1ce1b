#ifndef HOST_RELEASE_HOLDERS_H
#define HOST_RELEASE_HOLDERS_H

#include "release/release.h"

/* Adds the steps that stop whoever has the plan's devices open, each unit and process once: the
 * display manager first, which would else begin a session anew. */
void holders_stop(
	struct plan *plan, const struct machine *machine, const struct release_options *options);
/* Adds the steps that take text consoles and the firmware's framebuffers off the plan's devices,
 * and says what will not come back. */
void holders_take_consoles(struct plan *plan, struct findings *findings,
	const struct machine *machine, const struct step_host *host);
/* Adds the steps that put text consoles on what framebuffers are left, after the drivers went: the
 * kernel does not always move them. */
void holders_keep_consoles(struct plan *plan);

#endif
