/* Where the controller is: how a new connection to it is opened, and what its loss means. */
#ifndef GUEST_AGENT_CONTROLLER_H
#define GUEST_AGENT_CONTROLLER_H

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct link;

struct controller {
	const struct controller_impl *impl;
	struct agent *agent;
};

struct controller_impl {
	int (*start)(struct controller *controller);
	int (*open)(struct controller *controller, const char *name, struct link **link);
	void (*lost)(struct controller *controller, int error);
	bool (*clock_offset)(struct controller *controller, int64_t *offset);
	void (*flush)(struct controller *controller);
	void (*destroy)(struct controller *controller);
};

/** Begins to reach the controller; agent_controller_up() follows. 0, or −1 after a log line. */
int controller_start(struct controller *controller, struct agent *agent);
/**
 * A socket that speaks Wayland with the controller, the caller's; −1 with errno. `name` is for
 * logs. *link is what moves its messages, or NULL; it is set to NULL again when that is gone before
 * the caller has called link_detach().
 */
int controller_open(struct controller *controller, const char *name, struct link **link);
/** Once a loop's turn: writes what was queued. */
void controller_flush(struct controller *controller);
/** The agent's own connection broke, with this errno. */
void controller_lost(struct controller *controller, int error);
/**
 * What to add to the controller's CLOCK_MONOTONIC to get this machine's, in nanoseconds. False
 * while that is not known.
 */
bool controller_clock_offset(struct controller *controller, int64_t *offset);
void controller_destroy(struct controller *controller);

/** A compositor's socket on this machine: for development and benchmarks. NULL with errno. */
struct controller *controller_create_display(const char *name);

#endif
