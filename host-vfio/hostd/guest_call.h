#ifndef HOST_HOSTD_GUEST_CALL_H
#define HOST_HOSTD_GUEST_CALL_H

#include <stdbool.h>

#include "hostd/audit.h"
#include "hostd/daemon.h"

/* Starting and stopping application VMs, for both interfaces. */

struct guest_order {
	bool start; /* else stop */
	bool force; /* to stop: without asking it to shut down */
	uint64_t timeout_s; /* to stop: how long to wait for its end */
	const char *guest;
};

enum {
	GUEST_TIMEOUT_S = 60,
	GUEST_TIMEOUT_MOST_S = 3600,
};

/* The guests of one controller, or with NULL all that the policy names; for watchers_answer(). */
sd_json_variant *guest_list(struct daemon *daemon, const char *controller);
/* May this controller (NULL: the host itself) have to do with the guest? */
bool guest_is_of(const struct policy *policy, const char *controller, const char *guest);
/* Every name that guest_list() has with NULL; the caller finishes it. */
struct strings guest_names(const struct policy *policy, const char *controller);

/* Does it, and answers the call when it has happened, with errors of `interface` otherwise. `who`
 * is taken over. What a method's handler returns. */
int guest_call_begin(struct daemon *daemon, sd_varlink *link, const char *interface,
	struct audit_who *who, const struct guest_order *order);
/* Is the guest of a domain being started at the moment, and with which heap (bytes, 0: without a
 * plan)? */
bool guest_domain_is_starting(const struct daemon *daemon, const char *domain, uint64_t *heap);
/* libvirt's hook was told that there is no memory for the domain: whoever waits for its start hears
 * it in the words that are meant for him. */
void guest_calls_no_room(struct daemon *daemon, const char *domain, const char *reason);
/* Notes what a guest uses of its heap. */
int guest_report_heap(struct daemon *daemon, sd_varlink *link, const char *interface,
	const char *guest, uint64_t used);

/* Something was heard of libvirt: whoever waits for it is answered. */
void guest_calls_update(struct daemon *daemon);
/* A connection has ended: nobody waits there any more for a guest's end. */
void guest_calls_forget(struct daemon *daemon, const sd_varlink *link);
void guest_calls_finish(struct daemon *daemon);

/* Answers with INTERFACE.NAME and a reason, and audits it. */
int guest_refuse(sd_varlink *link, const char *interface, const char *name, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
