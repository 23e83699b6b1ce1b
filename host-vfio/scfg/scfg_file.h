#ifndef HOST_SCFG_SCFG_FILE_H
#define HOST_SCFG_SCFG_FILE_H

#include <scfg.h>
#include <stdbool.h>

#include "base/error.h"

/* The host's files in scfg: the policy, and what portal-host and portal-hostd keep for themselves.
 * They are read by one reader, so that mistakes in any of them are told in the same way. */

/* Where a directive is being read from, and where the reason of a refusal goes. */
struct scfg_file {
	const char *path;
	struct error *error;
};

/* Gives one directive of the file's top level a meaning. -1 when that is refused. */
typedef int scfg_file_directive(
	void *data, const struct scfg_file *file, const struct scfg_directive *directive);

/* Calls `read` for one directive after another; an absent file has none. -1 with the reason when
 * the file cannot be read or is no scfg, or as soon as `read` returns it. */
int scfg_file_read(const char *path, scfg_file_directive *read, void *data, struct error *error);

/* Is it not the first of its name in its block? */
bool scfg_file_is_repeated(const struct scfg_block *block, const struct scfg_directive *directive);

/* Sets the reason: "PATH, line N: …". Returns -1. */
int scfg_file_refuse(const struct scfg_file *file, const struct scfg_directive *at,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
