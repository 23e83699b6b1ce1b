#ifndef BRIDGE_LAUNCHES_H
#define BRIDGE_LAUNCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-varlink.h>

/* A program launched in the guest, until it has exited. */
struct bridge_launch {
	uint32_t id;
	int32_t pid; /* in the guest; 0 before the agent has said */
	sd_varlink *caller; /* who waits for a reply; NULL for nobody */
	bool more; /* the caller waits for the exit, too */
};

struct bridge_launches {
	struct bridge_launch *list;
	size_t count, capacity;
	uint32_t next_id;
};

void bridge_launches_init(struct bridge_launches *launches);

/* Tells every caller that the agent was lost. */
void bridge_launches_finish(struct bridge_launches *launches, const char *message);

/* A new launch with an id of its own; caller is referenced. NULL with errno. */
struct bridge_launch *bridge_launches_add(
	struct bridge_launches *launches, sd_varlink *caller, bool more);
struct bridge_launch *bridge_launches_find(struct bridge_launches *launches, uint32_t id);
void bridge_launches_remove(struct bridge_launches *launches, struct bridge_launch *launch);

/* What the agent says of a launch: replies to the caller. Ids that are not known are ignored. */
void bridge_launches_launched(struct bridge_launches *launches, uint32_t id, int32_t untrusted_pid,
	int32_t untrusted_error);
void bridge_launches_exited(struct bridge_launches *launches, uint32_t id, int32_t untrusted_status,
	int32_t untrusted_signal);

/* A caller went away; its programs live on. */
void bridge_launches_forget(struct bridge_launches *launches, sd_varlink *caller);

#endif
