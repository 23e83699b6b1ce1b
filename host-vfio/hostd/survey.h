#ifndef HOST_HOSTD_SURVEY_H
#define HOST_HOSTD_SURVEY_H

#include "hostd/daemon.h"

/* What the machine is like: looked at by a process of its own, because reading of a device that
 * hangs in the kernel hangs too. It sends a recording of what it read (portal-machine(5)). */

int survey_init(struct daemon *daemon, struct error *error);
void survey_finish(struct daemon *daemon);
/* Something has changed. When a look at the machine that was begun after this is there,
 * daemon_surveyed() is called; once for any number of requests. */
void survey_request(struct daemon *daemon);
/* Is udev at work, with drivers that it loads among other things? When it is done there is another
 * look. Without udev never. */
bool survey_is_settling(void);

/* Why the machine cannot be looked at; NULL when it can. */
const char *survey_problem(const struct daemon *daemon);

#endif
