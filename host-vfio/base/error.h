#ifndef HOST_BASE_ERROR_H
#define HOST_BASE_ERROR_H

/* Why something failed, in one sentence for the person who reads it: no trailing full stop or
 * newline, names the thing concerned. */
struct error {
	char text[1024];
};

/* Writes the sentence and returns -1, so that `return error_set(…)` reads as what it is. `error`
 * may be NULL. */
int error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the sentence that is there already. Returns -1. */
int error_prefix(struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
