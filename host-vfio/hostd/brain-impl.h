#ifndef HOST_HOSTD_BRAIN_IMPL_H
#define HOST_HOSTD_BRAIN_IMPL_H

#include "hostd/assigned.h"
#include "hostd/brain.h"

/* The parts of brain.h among themselves. */

struct claim;
struct job;
struct waiting;

struct brain {
	struct daemon *daemon;
	struct core core;
	struct assigned assigned; /* as in assigned.scfg */
	bool notes_checked; /* and what a former daemon wrote there holds */
	struct strings warned; /* what was last said of the policy */
	struct strings seen; /* the devices that there were when nothing was changing */
	struct core_action action; /* the change under way, when it is the core's */
	struct waiting *by_hand; /* or a person's */
	struct order *switching;
	struct job *hanging; /* waits for what hangs in a change that is unfinished */
	bool was_recovery; /* which was itself to settle another one */
	bool unsettled; /* one is known to be unfinished */
	bool to_settle; /* there may be one, and nobody hangs in it */
	LIST_HEAD(, claim) claims; /* claim.link, in brain_claims.c */
	STAILQ_HEAD(, waiting) waiting; /* waiting.link, in brain_orders.c */
	sd_event_source *patience;
};

/* brain_devices.c: what is moved by policy, and is known to have been. */

/* Reads what a former daemon knew. -1 with the reason. */
int brain_devices_init(struct brain *brain, struct error *error);
void brain_devices_finish(struct brain *brain);
/* What policy gave away, or what is no more its affair. -1: it could not be written down, which was
 * said. */
int brain_assign(struct brain *brain, const struct strings *names, struct error *error);
int brain_disown(struct brain *brain, const struct strings *names, struct error *error);
/* Writes down which VM has what of it, where that has changed and is known. */
void brain_note_owners(struct brain *brain);
/* After a look at a machine that nobody was changing: what has come and gone by itself. */
void brain_notice_devices(struct brain *brain);
/* Begins what the core wants: takes CORE_TAKE and CORE_RETURN over. */
void brain_begin_change(struct brain *brain, struct core_action *action);
/* The device of a CORE_ATTACH, to libvirt. */
void brain_attach(struct brain *brain, const struct core_action *action);

/* brain_warnings.c: what the policy says in vain. */

/* Says each warning once, until it has gone: those of the policy's names and addresses. Between
 * changes, while which a device can be away. */
void brain_warn(struct brain *brain);

/* brain_claims.c: the hooks that wait. */

/* Refuses those whose definitions are of another machine than this one has become. Between changes,
 * while which a device can be away. */
void brain_check_claims(struct brain *brain);
void brain_allow(struct brain *brain, const char *vm);
void brain_refuse(struct brain *brain, const char *vm, const char *reason);
void brain_claims_finish(struct brain *brain);

/* brain_switch.c: whether there can be a switch, and its answer. */

/* `problem` NULL: it is done. */
void brain_answer_switch(struct brain *brain, const char *problem);
/* Nothing was found that stands in its way. */
void brain_begin_switch(struct order *order);
/* It, or what it would do, is refused. */
void brain_refuse_switch(struct order *order, const char *error, const char *reason);
/* Where everything belongs once it is done; the caller finishes it. */
void brain_decide_then(
	const struct daemon *daemon, const char *controller, struct decisions *decisions);

/* brain_orders.c: what people want done, one after the other. */

/* Finds what a switch would do and what stands in its way, when it is its turn: to say so, or,
 * where it is brain.switching, to begin it. */
void brain_look_ahead(struct order *order);
/* Is what is under way by a person's order only that? */
bool brain_only_plans(const struct brain *brain);
/* The next of what waits, when nothing is under way. */
void brain_begin_by_hand(struct brain *brain);
void brain_orders_finish(struct brain *brain);

/* brain_recovery.c: what an earlier change has begun and not ended. */

/* A change has ended, with the error of change.h: one that is unfinished is settled as soon as
 * nobody hangs in it any more. `recovery`: it was to do that, and is not repeated for anything
 * else. */
void brain_note_outcome(struct brain *brain, bool recovery, const char *error);
/* Settles what is unfinished, when nothing is under way and brain.to_settle says that there may be
 * something. */
void brain_begin_recovery(struct brain *brain);
void brain_recovery_finish(struct brain *brain);

/* What the steps of a change say of themselves; for struct change_handlers. */
void brain_handle_progress(void *data, const char *sentence);

#endif
