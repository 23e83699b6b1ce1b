#ifndef GUEST_AGENT_LOG_H
#define GUEST_AGENT_LOG_H

#include <wlr/util/log.h>

/*
 * From here on wlr_log() writes lines of this importance at least to standard error, each with the
 * VM's name, or the host's where `name` is NULL; in a journal, with its priority. The name is kept
 * as it is.
 */
void agent_log_init(enum wlr_log_importance verbosity, const char *name);

#endif
