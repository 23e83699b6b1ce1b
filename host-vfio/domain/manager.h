#ifndef HOST_DOMAIN_MANAGER_H
#define HOST_DOMAIN_MANAGER_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/strings.h"

/*
 * One connection to libvirt and what Portal does with the domains behind it. Calls wait for
 * libvirt's answer; changes of state come as events on the loop.
 */

enum domain_state {
	DOMAIN_ABSENT, /* no such domain */
	DOMAIN_OFF,
	DOMAIN_RUNNING,
	DOMAIN_PAUSED,
	DOMAIN_STOPPING, /* asked to shut down */
};

enum domain_failure {
	DOMAIN_FAILURE_CONNECT = -1, /* libvirt is not there, or went away */
	DOMAIN_FAILURE_ABSENT = -2, /* no such domain */
	DOMAIN_FAILURE_REFUSED = -3, /* libvirt said no; the error has its words */
	DOMAIN_FAILURE_DENIED = -4, /* the connection or the user may only look */
	DOMAIN_FAILURE_CHANGED = -5, /* somebody else changed the domain meanwhile */
	DOMAIN_FAILURE_TIME = -6, /* the guest did not do its part in time */
};

struct domain_manager;

/* Called for each change of any domain's state, from the loop. */
typedef void (*domain_manager_handler)(void *data, const char *name, enum domain_state state);

/*
 * Connects to a libvirt URI. The handler may be NULL. NULL with the error set on failure.
 * Registers libvirt's event implementation on the loop at the first call in a process; all managers
 * of a process share one loop.
 */
struct domain_manager *domain_manager_create(const char *uri, sd_event *loop,
	domain_manager_handler handler, void *data, struct error *error);
/* A connection that may only look, which libvirt gives more users. */
struct domain_manager *domain_manager_create_viewer(
	const char *uri, sd_event *loop, struct error *error);
/* NULL is fine. Not from within its handler. */
void domain_manager_destroy(struct domain_manager *manager);
/* Calls `closed`, once and from the loop, when the connection ends by itself. Drivers without a
 * daemon have none to lose. */
void domain_manager_on_close(
	struct domain_manager *manager, void (*closed)(void *data), void *data);

/* Calls `changed`, from the loop, when a domain that is off was given another definition, or one
 * that runs got or lost a device: when what it takes of the host may have become something else.
 * After that of the handler, which the manager has to have. 0, or an enum domain_failure with the
 * error set. */
int domain_manager_on_change(struct domain_manager *manager,
	void (*changed)(void *data, const char *name), void *data, struct error *error);

/* All of these return 0, or an enum domain_failure with the error set. */

/* An absent domain is a state, not a failure. */
int domain_manager_get_state(struct domain_manager *manager, const char *name,
	enum domain_state *state, struct error *error);
/* The definition, or, with `live`, the running domain's description. The caller owns *xml. */
int domain_manager_get_xml(struct domain_manager *manager, const char *name, bool live, char **xml,
	struct error *error);
/* Defines a domain, or redefines the one of that name and uuid. */
int domain_manager_define(struct domain_manager *manager, const char *xml, struct error *error);
/* The names of all domains, running or not, sorted. */
int domain_manager_list(struct domain_manager *manager, struct strings *names, struct error *error);
/* The same, those that run in the order that they were started in, and then the others. */
int domain_manager_list_by_start(
	struct domain_manager *manager, struct strings *names, struct error *error);
/* The definition that lasts, refused for a domain that has none (it vanishes when it stops). The
 * caller owns *xml, which has secrets where the connection may see them. */
int domain_manager_get_definition(
	struct domain_manager *manager, const char *name, char **xml, struct error *error);
/*
 * Replaces a definition that domain_manager_get_definition() gave, unless it has been changed
 * since. libvirt has no call that compares and defines at once: it is read again right before.
 */
int domain_manager_redefine(struct domain_manager *manager, const char *name, const char *before,
	const char *after, struct error *error);
/* Starts it, or resumes a paused one; a running one is left alone. */
int domain_manager_start(struct domain_manager *manager, const char *name, struct error *error);
/* Asks the guest to shut down. The handler hears when it has. */
int domain_manager_shutdown(struct domain_manager *manager, const char *name, struct error *error);
/* Ends it at once. */
int domain_manager_kill(struct domain_manager *manager, const char *name, struct error *error);

#endif
