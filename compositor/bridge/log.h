#ifndef BRIDGE_LOG_H
#define BRIDGE_LOG_H

#include <stdbool.h>
#include <stdint.h>

/* Lines on standard error: "portal-bridge[VM]: …", with the priority journald reads before them. */
struct bridge_log {
	const char *vm; /* borrowed */
	bool journal; /* standard error is the journal's */
	bool again; /* an attempt after another: what is the same each time has been said */
	/* of lines that a guest can cause */
	uint64_t minute;
	unsigned int lines;
};

/* So many lines in a minute, and one more that says so. */
#define BRIDGE_LOG_LINES 30

void bridge_log_init(struct bridge_log *log, const char *vm);

/* priority is syslog(3)'s: LOG_ERR, LOG_WARNING, LOG_INFO. The text is without its line's end. */
void bridge_log(const struct bridge_log *log, int priority, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for what holds for all attempts: said by the first. */
void bridge_log_once(const struct bridge_log *log, int priority, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * The same for what a guest can bring about as often as it likes: at most BRIDGE_LOG_LINES a
 * minute. now is a time of CLOCK_MONOTONIC in seconds.
 */
void bridge_log_guest(struct bridge_log *log, uint64_t now, int priority, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
