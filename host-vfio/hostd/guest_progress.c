#include "hostd/guest_progress.h"

#include "domain/manager.h"

static bool is_active(int state) {
	return state == DOMAIN_RUNNING || state == DOMAIN_PAUSED || state == DOMAIN_STOPPING;
}

struct guest_progress guest_progress_begin(bool start, int state) {
	/* One that is to start runs when it is heard to, and not because it was paused. */
	return (struct guest_progress){.start = start, .active = !start && is_active(state)};
}

void guest_progress_hear(struct guest_progress *progress, int state) {
	if (state == DOMAIN_RUNNING ||
		(is_active(state) && (!progress->start || progress->answered))) {
		progress->active = true;
		progress->ended = false;
	} else if (state == DOMAIN_OFF || state == DOMAIN_ABSENT) {
		progress->ended = progress->active;
	}
}

void guest_progress_answer(struct guest_progress *progress, bool idle) {
	progress->answered = true;
	progress->idle = idle;
}

enum guest_verdict guest_progress_verdict(const struct guest_progress *progress) {
	if (!progress->answered) {
		return GUEST_WAIT;
	}
	if (progress->start) {
		return progress->ended ? GUEST_DIED : progress->active ? GUEST_DONE : GUEST_WAIT;
	}
	return progress->ended || progress->idle ? GUEST_DONE : GUEST_WAIT;
}
