#ifndef CONSTRAINT_H
#define CONSTRAINT_H

#include <stdbool.h>

struct seat;
struct server;

/* Locked and confined pointers (pointer-constraints): only of the surface that has the pointer, and
 * only while its window has the keyboard. */

void constraint_init(struct server *server);
void constraint_finish(struct server *server);

/** The pointer or the keyboard is somewhere else now. */
void constraint_update(struct seat *seat);
/** What is left of a motion. False: the pointer is locked and does not move. */
bool constraint_apply(struct seat *seat, double *dx, double *dy);

#endif
