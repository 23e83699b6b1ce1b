#ifndef PORTAL_QUOTA_H
#define PORTAL_QUOTA_H

/*
 * What one guest may use of the compositor, over all of its connections. Counted things run out;
 * messages are only slowed down: their token bucket says how long not to read from the guest.
 */

#include <stdbool.h>
#include <stdint.h>

enum portal_quota_kind {
	PORTAL_QUOTA_CONNECTIONS,
	PORTAL_QUOTA_OBJECTS, /* until the compositor lets the id go */
	PORTAL_QUOTA_SURFACES,
	PORTAL_QUOTA_WINDOWS, /* xdg_toplevels, shown or not */
	PORTAL_QUOTA_BUFFERS,
	PORTAL_QUOTA_POOLS,
	PORTAL_QUOTA_POOL_BYTES, /* mapped by the compositor: the sum over all pools */
	PORTAL_QUOTA_BUFFER_BYTES, /* of the pixels of all buffers: what the guest has in its heap
				    */
	PORTAL_QUOTA_SHOWN_BYTES, /* of the pictures surfaces hold: textures, in the worst case */
	PORTAL_QUOTA_COMMITS, /* of subsurfaces, waiting for a parent's */
	PORTAL_QUOTA_RECTANGLES, /* of regions, as many as they may come to consist of */
	PORTAL_QUOTA_KINDS,
};

struct portal_quota {
	uint64_t limit[PORTAL_QUOTA_KINDS], used[PORTAL_QUOTA_KINDS];
	/* The token bucket. Tokens are messages; below zero is a debt to be waited for. */
	uint32_t messages_per_second, burst;
	int64_t tokens;
	uint64_t refilled_ns;
};

/* Sets the default limits, for a heap of so many bytes. */
void portal_quota_init(struct portal_quota *quota, uint64_t heap_size);

/* Takes so many of a kind; false, with nothing taken, when they would go over the limit. */
bool portal_quota_take(struct portal_quota *quota, enum portal_quota_kind kind, uint64_t amount);

void portal_quota_give(struct portal_quota *quota, enum portal_quota_kind kind, uint64_t amount);

/* The plural noun of a kind, for messages. */
const char *portal_quota_name(enum portal_quota_kind kind);

/*
 * Accounts for messages that were let through at a time of CLOCK_MONOTONIC in nanoseconds. Returns
 * for how many nanoseconds nothing more should be read from the guest, 0 for none.
 */
uint64_t portal_quota_spend(struct portal_quota *quota, uint64_t now_ns, uint32_t messages);

#endif
