#ifndef HOST_BASE_FILE_H
#define HOST_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/* Replaces a file's content so that a power loss leaves the old or the new, never a part: written
 * beside it, synced, renamed, the directory synced. -1 with the reason. */
int file_replace(const char *path, const void *data, size_t size, mode_t mode, struct error *error);
/* Makes a file that is not there yet, synced; a part of one is removed again. -1 with errno. */
int file_create(const char *path, const void *data, size_t size, mode_t mode);
/* fsync(2) of the directory that holds `path`, after which a rename or removal there is lasting.
 * -1 with errno. */
int file_sync_directory(const char *path);
/* Makes a directory and its parents; one that is there is fine. -1 with the reason. */
int file_make_directory(const char *path, mode_t mode, struct error *error);

#endif
