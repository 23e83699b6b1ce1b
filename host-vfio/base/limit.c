#include "base/limit.h"

bool limit_take(struct limit *limit, uint64_t now) {
	uint64_t back = (now - limit->since) / limit->interval;
	if (back >= limit->used) {
		limit->used = 0;
		limit->since = now;
	} else {
		limit->used -= (unsigned)back;
		limit->since += back * limit->interval;
	}
	if (limit->used >= limit->most) {
		return false;
	}
	limit->used++;
	return true;
}

uint64_t limit_wait(const struct limit *limit, uint64_t now) {
	uint64_t due = limit->since + limit->interval;
	return due > now ? due - now : 0;
}
