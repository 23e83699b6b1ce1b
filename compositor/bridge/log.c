#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void bridge_log_init(struct bridge_log *log, const char *vm) {
	log->vm = vm;
	/* systemd.exec(5): set for services whose standard error goes there. */
	log->journal = getenv("JOURNAL_STREAM") != NULL && !isatty(STDERR_FILENO);
}

void bridge_log(const struct bridge_log *log, int priority, const char *format, ...) {
	char line[1024];
	int length = log->journal ? snprintf(line, sizeof(line),
					    "<%d>portal-bridge[%s]: ", priority, log->vm)
				  : snprintf(line, sizeof(line), "portal-bridge[%s]: ", log->vm);
	va_list args;
	va_start(args, format);
	vsnprintf(line + length, sizeof(line) - (size_t)length, format, args);
	va_end(args);
	/* One write: the lines of several bridges on one terminal do not mix. */
	fprintf(stderr, "%s\n", line);
}
