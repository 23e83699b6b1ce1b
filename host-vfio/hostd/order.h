#ifndef HOST_HOSTD_ORDER_H
#define HOST_HOSTD_ORDER_H

#include "hostd/audit.h"
#include "hostd/daemon.h"

/* A call of org.portal.Host that changes something: read, then allowed or not, then done. */
struct order {
	struct daemon *daemon;
	sd_varlink *call;
	const struct order_kind *kind;
	struct audit_who who;
	bool asking; /* whether it may */
	/* Parameters; which of them there are, the interface says. */
	char *guest, *controller, *device;
	char **devices, **unguard;
	bool force, interactive, stop_holders, suspend;
	uint64_t timeout_s, used;
	LIST_ENTRY(order) link; /* daemon.orders */
};

struct order_kind {
	const char *what; /* for the audit: "start guest" */
	const char *action; /* polkit's */
	/* Does it, and ends the order now or later. */
	void (*run)(struct order *order);
};

/* What a method's handler returns. */
int order_begin(struct daemon *daemon, sd_varlink *link, sd_json_variant *parameters,
	const struct order_kind *kind);
/* Answers, audits and frees it. `object` is what was to be changed; NULL: what the caller named. */
void order_done(struct order *order, const char *object, sd_json_variant *reply);
/* `error` is one of the interface: "Refused", "Failed" … */
void order_fail(struct order *order, const char *object, const char *error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Somebody else answers. */
void order_forget(struct order *order);
/* A connection has ended: what nobody has been asked about yet, or has not answered, is dropped. */
void orders_forget(struct daemon *daemon, const sd_varlink *link);
void orders_finish(struct daemon *daemon);

#endif
