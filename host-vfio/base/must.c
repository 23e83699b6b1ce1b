#include "must.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *must_have(void *pointer) {
	if (!pointer) {
		fputs("out of memory\n", stderr);
		abort();
	}
	return pointer;
}

void *must_alloc(size_t count, size_t size) {
	return must_have(calloc(count ? count : 1, size));
}

void *must_grow(void *data, size_t count, size_t size) {
	/* Powers of two, so that the capacity need not be kept anywhere. */
	if (count != 0 && (count & (count - 1)) != 0) {
		return data;
	}
	size_t capacity = count ? count * 2 : 1;
	if (capacity > SIZE_MAX / size) {
		return must_have(NULL);
	}
	return must_have(realloc(data, capacity * size));
}

char *must_copy(const char *text) {
	return text ? must_have(strdup(text)) : NULL;
}

char *must_print(const char *format, ...) {
	char *text = NULL;
	va_list args;
	va_start(args, format);
	int length = vasprintf(&text, format, args);
	va_end(args);
	return must_have(length < 0 ? NULL : text);
}
