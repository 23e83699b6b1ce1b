#include "quota.h"

#include <assert.h>

#define NS_PER_S UINT64_C(1000000000)

void portal_quota_init(struct portal_quota *quota, uint64_t heap_size) {
	*quota = (struct portal_quota){
		.limit =
			{
				[PORTAL_QUOTA_CONNECTIONS] = 128,
				[PORTAL_QUOTA_OBJECTS] = 65536,
				[PORTAL_QUOTA_SURFACES] = 8192,
				/* Each is drawn with its frame, and looked at when another
				 * one changes. */
				[PORTAL_QUOTA_WINDOWS] = 512,
				[PORTAL_QUOTA_BUFFERS] = 16384,
				[PORTAL_QUOTA_POOLS] = 256,
				/* An application maps the heap once; some room to resize. */
				[PORTAL_QUOTA_POOL_BYTES] = heap_size * 256,
				/* Not of those that no agent would make, over each other. */
				[PORTAL_QUOTA_BUFFER_BYTES] = heap_size * 256,
				/* Buffers do not overlap: a heap of them at most is shown, and
				 * what it replaces may be held meanwhile. */
				[PORTAL_QUOTA_SHOWN_BYTES] = heap_size * 2,
				/* An agent sends such a commit just before its parent's. */
				[PORTAL_QUOTA_COMMITS] = 4096,
				[PORTAL_QUOTA_RECTANGLES] = 4 << 20,
			},
		/* Several times what 32 windows at 240 Hz send. */
		.messages_per_second = 200000,
		.burst = 100000,
	};
	quota->tokens = quota->burst;
}

bool portal_quota_take(struct portal_quota *quota, enum portal_quota_kind kind, uint64_t amount) {
	if (amount > quota->limit[kind] - quota->used[kind]) {
		return false;
	}
	quota->used[kind] += amount;
	return true;
}

void portal_quota_give(struct portal_quota *quota, enum portal_quota_kind kind, uint64_t amount) {
	assert(quota->used[kind] >= amount);
	quota->used[kind] -= amount;
}

const char *portal_quota_name(enum portal_quota_kind kind) {
	static const char *const names[] = {
		[PORTAL_QUOTA_CONNECTIONS] = "connections",
		[PORTAL_QUOTA_OBJECTS] = "objects",
		[PORTAL_QUOTA_SURFACES] = "surfaces",
		[PORTAL_QUOTA_WINDOWS] = "windows",
		[PORTAL_QUOTA_BUFFERS] = "buffers",
		[PORTAL_QUOTA_POOLS] = "pools",
		[PORTAL_QUOTA_POOL_BYTES] = "pool bytes",
		[PORTAL_QUOTA_BUFFER_BYTES] = "bytes of buffers",
		[PORTAL_QUOTA_SHOWN_BYTES] = "bytes of pictures",
		[PORTAL_QUOTA_COMMITS] = "commits that wait for others",
		[PORTAL_QUOTA_RECTANGLES] = "rectangles",
	};
	return names[kind];
}

static void refill(struct portal_quota *quota, uint64_t now_ns) {
	if (quota->refilled_ns == 0 || now_ns < quota->refilled_ns) {
		quota->refilled_ns = now_ns;
		return;
	}
	uint64_t passed = now_ns - quota->refilled_ns;
	/* More than a minute fills any bucket, and keeps the product below 64 bits. */
	if (passed > 60 * NS_PER_S) {
		passed = 60 * NS_PER_S;
		quota->refilled_ns = now_ns - passed;
	}
	uint64_t earned = passed * quota->messages_per_second / NS_PER_S;
	/* Only what made whole tokens is used up. */
	quota->refilled_ns += earned * NS_PER_S / quota->messages_per_second;
	quota->tokens += (int64_t)earned;
	if (quota->tokens > (int64_t)quota->burst) {
		quota->tokens = quota->burst;
		quota->refilled_ns = now_ns;
	}
}

uint64_t portal_quota_spend(struct portal_quota *quota, uint64_t now_ns, uint32_t messages) {
	refill(quota, now_ns);
	quota->tokens -= messages;
	if (quota->tokens >= 0) {
		return 0;
	}
	return (uint64_t)-quota->tokens * NS_PER_S / quota->messages_per_second;
}
