#include "say.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

static bool progress_shown;

void say_progress_done(void) {
	if (progress_shown) {
		fputs("\r\033[K", stderr);
		fflush(stderr);
		progress_shown = false;
	}
}

static void print(const char *format, va_list args) {
	say_progress_done();
	fputs("portal-run: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
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
