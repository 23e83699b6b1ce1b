#ifndef HOST_SETUP_MANIFEST_H
#define HOST_SETUP_MANIFEST_H

#include "setup/changes.h"

/* What a set of changes replaced, as a JSON file. */
struct manifest {
	struct changes changes;
	struct strings directories; /* those that were made, outermost first */
	/* Which system was changed: the path of its root, "" for the one that the manifest lies in
	 * and goes along with, or NULL when that was not written down. */
	char *root;
};

int manifest_save(const struct manifest *manifest, const char *path, struct error *error);
/* -1 with the reason, also when there is none. */
int manifest_load(struct manifest *manifest, const char *path, struct error *error);
void manifest_finish(struct manifest *manifest);

#endif
