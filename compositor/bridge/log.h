#ifndef BRIDGE_LOG_H
#define BRIDGE_LOG_H

#include <stdbool.h>

/* Lines on standard error: "portal-bridge[VM]: …", with the priority journald reads before them. */
struct bridge_log {
	const char *vm; /* borrowed */
	bool journal; /* standard error is the journal's */
};

void bridge_log_init(struct bridge_log *log, const char *vm);

/* priority is syslog(3)'s: LOG_ERR, LOG_WARNING, LOG_INFO. The text is without its line's end. */
void bridge_log(const struct bridge_log *log, int priority, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
