#ifndef HOST_HOSTD_GUEST_PROGRESS_H
#define HOST_HOSTD_GUEST_PROGRESS_H

#include <stdbool.h>

/*
 * How far a guest's start or stop has come. Two things are heard of it, by different processes and
 * so in any order: libvirt's answer to the order, and libvirt's events. Neither is enough: what was
 * last heard of a guest may be older than the order, and one that has started may have ended again.
 */
struct guest_progress {
	bool start; /* else stop */
	bool answered; /* libvirt has done what was ordered, or taken it on */
	bool idle; /* to stop: and it was off */
	bool active; /* it was heard to run: an end that is heard now is the end of that */
	bool ended; /* which was heard */
};

enum guest_verdict {
	GUEST_WAIT,
	GUEST_DONE,
	GUEST_DIED, /* it was started, and has ended since */
};

/* `state`: what was heard last before the order, enum domain_state or HYPERVISOR_UNKNOWN. */
struct guest_progress guest_progress_begin(bool start, int state);
void guest_progress_hear(struct guest_progress *progress, int state);
/* libvirt says that it was done; `idle`: that there was nothing to stop. */
void guest_progress_answer(struct guest_progress *progress, bool idle);
enum guest_verdict guest_progress_verdict(const struct guest_progress *progress);

#endif
