#ifndef STACKING_H
#define STACKING_H

#include "server.h"

struct toplevel;

/** Brings a window, and the dialogs that belong to it, to the front. */
void stacking_raise(struct toplevel *toplevel);
/** Puts a window among the windows or among what lies over bars. */
void stacking_move(struct toplevel *toplevel, enum stack stack);

#endif
