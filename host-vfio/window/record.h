#ifndef HOST_WINDOW_RECORD_H
#define HOST_WINDOW_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "window/config_window.h"

/* What the files of a window were, one text file for each VM. */

#define WINDOW_SUFFIX ".window"

struct window_file {
	char *address;
	uid_t uid;
	gid_t gid;
	mode_t mode; /* permissions alone */
};

struct window_record {
	char *boot;
	struct window_file *files;
	size_t count;
};

void window_record_add(struct window_record *record, const struct window_file *file);
void window_record_finish(struct window_record *record);

/* The record's path; the caller's. NULL for a name that is none of a VM: empty, with a slash, or
 * beginning with a dot. */
char *window_record_path(const struct config_window_host *host, const char *vm);
/* Is a file of the records' directory one? What else is there was being written when the power
 * failed, and never counted. */
bool window_record_is_one(const char *name);
int window_record_write(const struct window_record *record, const char *path, struct error *error);
/* 1, or 0 when there is none; -1 with the reason when it is no record. */
int window_record_read(struct window_record *record, const char *path, struct error *error);
/* What the function was before a window that is open now: 1, with `file` but for its address; 0
 * when no window of this boot has it; -1 with the reason. */
int window_record_find(const struct config_window_host *host, const char *address,
	struct window_file *file, struct error *error);

#endif
