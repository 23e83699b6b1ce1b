#ifndef HOST_HOSTD_AUTHORITY_H
#define HOST_HOSTD_AUTHORITY_H

#include <systemd/sd-varlink.h>

#include "hostd/daemon.h"

/* Who may do what: root everything, everybody else what polkit says of the process at the other end
 * of the connection; without polkit nobody else anything. */

/* Calls `answer` once, now or from the loop: `refusal` is NULL when the peer may, else a sentence.
 * `interactive`: polkit may ask a person. */
void authority_check(struct daemon *daemon, sd_varlink *link, const char *action, bool interactive,
	void (*answer)(void *data, const char *refusal), void *data);
/* `data` is not asked about any more. */
void authority_forget(struct daemon *daemon, const void *data);
void authority_finish(struct daemon *daemon);

#endif
