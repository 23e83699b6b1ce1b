#ifndef HOST_DOMAIN_CHANGE_H
#define HOST_DOMAIN_CHANGE_H

#include <stdint.h>

#include "domain/edit.h"
#include "domain/manager.h"

/* A change of one domain's definition, between being shown and being made. */
struct domain_change {
	char *read; /* the definition as libvirt gave it out */
	char *after; /* what it is to become */
	char *diff; /* for people; empty: it is like that already */
	enum domain_state state;
	/* Stands for the definition that was read: the same definition, the same number. */
	uint64_t token;
};

/* Reads the domain and works the change out; nothing is changed yet. 0, or an enum domain_failure
 * with the reason and nothing to finish. An edit that makes no sense for this domain is
 * DOMAIN_FAILURE_REFUSED. */
int domain_change_prepare(struct domain_change *change, struct domain_manager *manager,
	const char *name, const struct domain_edit *edit, struct error *error);
/* Makes it. Only the definition changes: a running domain stays as it is until its next start. */
int domain_change_commit(const struct domain_change *change, struct domain_manager *manager,
	const char *name, struct error *error);
void domain_change_finish(struct domain_change *change);

#endif
