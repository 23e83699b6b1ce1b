#ifndef HOST_HEAP_HEAP_FILE_H
#define HOST_HEAP_HEAP_FILE_H

#include <stdbool.h>

#include "base/error.h"
#include "domain/heap_device.h"

/* portal_heap_format_file() for a heap: makes its file, empty, or gives one that is there the
 * heap's size. -1 with the reason. */
int heap_file_make(const struct heap_device *heap, struct error *error);
/* portal_heap_check_file(): is the file that is there one's own? -1 with the reason. */
int heap_file_check(const struct heap_device *heap, struct error *error);
/* Has any process the file open? */
bool heap_file_is_in_use(const char *path);

#endif
