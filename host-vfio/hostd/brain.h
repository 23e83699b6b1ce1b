#ifndef HOST_HOSTD_BRAIN_H
#define HOST_HOSTD_BRAIN_H

#include "hostd/change.h"
#include "hostd/core.h"
#include "hostd/daemon.h"
#include "hostd/order.h"

/* Does what the core decides (hostd/core.h), and tells it what came of that. */

int brain_init(struct daemon *daemon, struct error *error);
void brain_finish(struct daemon *daemon);

/* The machine was looked at: time to decide. */
void brain_decide(struct daemon *daemon);
/* libvirt has said something of a domain, or nothing at all is known any more. */
void brain_domain_changed(struct daemon *daemon, const char *domain, int state);
void brain_states_known(struct daemon *daemon, bool known);
void brain_policy_changed(struct daemon *daemon);

/* What there is to say of it. */
const struct core *brain_core(const struct daemon *daemon);

/* The domains of the controllers that would have to end for this one to start; the caller finishes
 * it. */
struct strings brain_rivals(const struct daemon *daemon, const struct policy_vm *vm);

/* What a switch to it (NULL: to none) would do; the caller finishes it. */
void brain_foresee(
	const struct daemon *daemon, const char *controller, struct core_foresight *foresight);

/* Takes an order over: to switch, or to say what that would do; or to change devices by hand, after
 * what is under way. */
void brain_switch(struct order *order);
void brain_plan_switch(struct order *order);
void brain_change(struct order *order, enum change_kind kind);

/* libvirt's hook says that a domain is about to start, with these devices of the host in its
 * definition (NULL: none): answered later, the call is taken over. Or that it is gone. */
void brain_claim(
	struct daemon *daemon, sd_varlink *link, const struct policy_vm *vm, char *const *devices);
void brain_released(struct daemon *daemon, const struct policy_vm *vm);
/* Does it start, or run, as far as is known? */
bool brain_expects(const struct daemon *daemon, const struct policy_vm *vm);
/* A connection has ended: whoever waited on it. */
void brain_forget(struct daemon *daemon, const sd_varlink *link);

#endif
