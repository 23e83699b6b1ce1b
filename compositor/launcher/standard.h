#ifndef PORTAL_LAUNCHER_STANDARD_H
#define PORTAL_LAUNCHER_STANDARD_H

#include <stdbool.h>

/*
 * To be called first: a standard descriptor that the caller has closed becomes /dev/null, so that
 * no socket, lock or file of this program's takes its number, is written to as if it were a
 * terminal, and lives on in whatever is started.
 */
void standard_init(void);

/* To be called last. False when what was printed has not all been written, after saying so. */
bool standard_finish(const char *program);

#endif
