#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void bridge_log_init(struct bridge_log *log, const char *vm) {
	*log = (struct bridge_log){.vm = vm};
	/* systemd.exec(5): set for services whose standard error goes there. */
	log->journal = getenv("JOURNAL_STREAM") != NULL && !isatty(STDERR_FILENO);
}

static void write_line(
	const struct bridge_log *log, int priority, const char *format, va_list args) {
	char line[1024];
	int length = log->journal ? snprintf(line, sizeof(line),
					    "<%d>portal-bridge[%s]: ", priority, log->vm)
				  : snprintf(line, sizeof(line), "portal-bridge[%s]: ", log->vm);
	vsnprintf(line + length, sizeof(line) - (size_t)length, format, args);
	/* One write: the lines of several bridges on one terminal do not mix. */
	fprintf(stderr, "%s\n", line);
}

void bridge_log(const struct bridge_log *log, int priority, const char *format, ...) {
	va_list args;
	va_start(args, format);
	write_line(log, priority, format, args);
	va_end(args);
}

void bridge_log_once(const struct bridge_log *log, int priority, const char *format, ...) {
	va_list args;
	va_start(args, format);
	if (!log->again) {
		write_line(log, priority, format, args);
	}
	va_end(args);
}

void bridge_log_guest(struct bridge_log *log, uint64_t now, int priority, const char *format, ...) {
	if (now / 60 != log->minute) {
		log->minute = now / 60;
		log->lines = 0;
	}
	if (log->lines > BRIDGE_LOG_LINES) {
		return;
	}
	if (log->lines++ == BRIDGE_LOG_LINES) {
		bridge_log(log, priority, "more of the guest's doing is left out for a minute");
		return;
	}
	va_list args;
	va_start(args, format);
	write_line(log, priority, format, args);
	va_end(args);
}
