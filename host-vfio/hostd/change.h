#ifndef HOST_HOSTD_CHANGE_H
#define HOST_HOSTD_CHANGE_H

#include "hostd/daemon.h"
#include "hostd/job.h"
#include "transaction/preflight.h"

/* Changes of devices, each a transaction in a process of its own that looks at the machine anew,
 * plans, checks what stands in the way, and carries it out or leaves everything as it was. */

enum change_kind {
	CHANGE_TAKE,
	CHANGE_RELEASE, /* the same, with graphics cards by the ladder of release/release.h */
	CHANGE_RETURN, /* no names: everything that was taken */
	CHANGE_RECOVER, /* what was begun and not ended */
};

struct change_order {
	enum change_kind kind;
	const struct strings *names; /* addresses, or names of devices */
	const struct strings *unguarded; /* what the survival guard lets go beside the policy's */
	bool stop_holders, suspend; /* to release cards */
	const struct preflight_vm *vm; /* that starts with what is taken; NULL: none does */
	bool dry_run; /* of those that take: only said, by the handlers' `plan` */
	/* Of a dry run: addresses of what would be returned before, once the VMs that have it have
	 * let it go; NULL: nothing. And is it to be refused where something stands in the way? */
	const struct strings *returning;
	bool refuse;
};

struct change_handlers {
	void (*progress)(void *data, const char *sentence);
	/* Of a dry run: {"what", "plan", "text"} for each plan that would be carried out, in order,
	 * and
	 * {"findings"} last. May be NULL otherwise. */
	void (*plan)(void *data, sd_json_variant *object);
	/* `error` NULL: it was done. Else "Refused", "Failed" (and all is as it was) or
	 * "Unfinished" (and not all of it is), with the reason. */
	void (*ended)(void *data, const char *error, const char *reason);
};

/* One at a time: the caller sees to that. What the order points to is copied. */
void change_begin(struct daemon *daemon, const struct change_order *order,
	const struct change_handlers *handlers, void *data);
void change_cancel(struct daemon *daemon);

#endif
