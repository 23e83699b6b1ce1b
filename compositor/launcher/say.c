#include "say.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool progress_shown;

void say_progress_done(void) {
	if (progress_shown) {
		fputs("\r\033[K", stderr);
		fflush(stderr);
		progress_shown = false;
	}
}

/* In one write: agent and bridge may speak on the same standard error. */
static void print(const char *format, va_list args) {
	say_progress_done();
	char *text, *line;
	if (vasprintf(&text, format, args) < 0) {
		return;
	}
	if (asprintf(&line, "portal-run: %s\n", text) >= 0) {
		fputs(line, stderr);
		free(line);
	}
	free(text);
}

int say_failure(int status, const char *format, ...) {
	va_list args;
	va_start(args, format);
	print(format, args);
	va_end(args);
	return status;
}

void say(const char *format, ...) {
	va_list args;
	va_start(args, format);
	print(format, args);
	va_end(args);
}

void say_progress(const char *format, ...) {
	if (!isatty(STDERR_FILENO)) {
		return;
	}
	va_list args;
	va_start(args, format);
	fputs("\r\033[K", stderr);
	vfprintf(stderr, format, args);
	fflush(stderr);
	va_end(args);
	progress_shown = true;
}
