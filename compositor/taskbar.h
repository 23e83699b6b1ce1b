#ifndef TASKBAR_H
#define TASKBAR_H

struct output;
struct taskbar_entry;
struct toplevel;

/* What a bar shows of a window, and does with it (wlr-foreign-toplevel-management). */

/** An entry for a window that has been mapped. NULL when memory is out. */
struct taskbar_entry *taskbar_entry_create(struct toplevel *toplevel);
/** NULL is fine. */
void taskbar_entry_destroy(struct taskbar_entry *entry);
/** Title, state or output have changed; NULL is fine. */
void taskbar_entry_update(struct taskbar_entry *entry);

/** The output is not in the layout any more; NULL is fine. */
void taskbar_entry_leave(struct taskbar_entry *entry, struct output *output);

#endif
