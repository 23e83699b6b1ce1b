#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, const char *format, ...) {
	if (!error) {
		return -1;
	}
	va_list args;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -1;
}

int error_prefix(struct error *error, const char *format, ...) {
	if (!error) {
		return -1;
	}
	struct error former = *error;
	va_list args;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	strlcat(error->text, ": ", sizeof(error->text));
	strlcat(error->text, former.text, sizeof(error->text));
	return -1;
}
