#ifndef HOST_HOSTD_WATCHERS_H
#define HOST_HOSTD_WATCHERS_H

#include "hostd/daemon.h"

/* Calls with the flag "more": answered again whenever something has changed, at most once a turn of
 * the loop, and only when the answer is another one. */

/* What there is to say now; the caller's. `controller`: of a door, else NULL. */
typedef sd_json_variant *watcher_build(struct daemon *daemon, const char *controller);

/* Answers a call, and with "more" goes on doing so. What a method's handler returns. */
int watchers_answer(struct daemon *daemon, sd_varlink *link, sd_varlink_method_flags_t flags,
	watcher_build *build, const char *controller);
/* Something that watchers are told of has changed. */
void watchers_changed(struct daemon *daemon);
/* A connection has ended. */
void watchers_forget(struct daemon *daemon, const sd_varlink *link);
void watchers_finish(struct daemon *daemon);

#endif
