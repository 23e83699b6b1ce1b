#ifndef BRIDGE_STREAM_H
#define BRIDGE_STREAM_H

#include <stddef.h>

/*
 * Copies from memory that is mapped uncached or write-combining, whole cache lines at a time where
 * the processor can (MOVNTDQA), which is several times faster there than memcpy().
 */
void bridge_stream_read(void *to, const void *from, size_t size);

#endif
