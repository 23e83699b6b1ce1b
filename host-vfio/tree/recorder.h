#ifndef HOST_TREE_RECORDER_H
#define HOST_TREE_RECORDER_H

#include "tree/memory.h"

/* A tree that passes everything on to another one and keeps what was read. Whatever code ran over
 * it runs the same over the recording: what a recorded machine holds can never differ from what is
 * looked at. Directory listings are not kept by themselves, only the names that were then read, so
 * readers touch what they use. Writing is refused. */

/* Decides about one file or link before it is kept: false leaves it out; `data` may be shortened or
 * rewritten in place through `size`. */
typedef bool (*recorder_filter_func_t)(const char *path, char *data, size_t *size);

/* Neither `source` nor `recording` is taken over; both must outlive the recorder. */
struct tree *recorder_tree_create(
	struct tree *source, struct memory_tree *recording, recorder_filter_func_t filter);

#endif
