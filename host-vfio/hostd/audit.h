#ifndef HOST_HOSTD_AUDIT_H
#define HOST_HOSTD_AUDIT_H

#include <systemd/sd-varlink.h>

/* What portal-hostd says, and to whom it answers for it: the journal, else standard error. */

/* Who asked for something; from the connection, never from what it says. */
struct audit_who {
	char *name; /* "uid 1000, pid 4711 (portal-host)", "controller work" */
	long uid, pid; /* -1: a controller's door, or the daemon itself */
	char *controller; /* of a door, else NULL */
};

/* The peer of a connection. */
void audit_who_peer(struct audit_who *who, sd_varlink *link);
void audit_who_controller(struct audit_who *who, const char *controller);
void audit_who_finish(struct audit_who *who);

/* One line for everything that was to change something: what, with what ("firefox"; or NULL), and
 * how it ended ("done", "refused", "failed") with the reason (NULL: none). */
void audit(const struct audit_who *who, const char *what, const char *object, const char *outcome,
	const char *reason);

/* A line for people, at a priority of syslog.h. */
void say(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
