#ifndef HOST_BASE_MUST_H
#define HOST_BASE_MUST_H

#include <stddef.h>

/* Allocation that does not fail: the process ends with one line instead. Everything here is small
 * and comes from the host itself, never from a guest; and whatever ends the process in the middle
 * of a change to the machine, its journal brings the machine back. */

/* `count` zeroed elements. */
void *must_alloc(size_t count, size_t size);
/* `data` with room for one more element of `size` bytes behind its `count`; grows by doubling. */
void *must_grow(void *data, size_t count, size_t size);
/* A copy; NULL stays NULL. */
char *must_copy(const char *text);
/* The pointer, which is not NULL. */
void *must_have(void *pointer);
char *must_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
