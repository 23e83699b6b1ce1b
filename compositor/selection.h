#ifndef SELECTION_H
#define SELECTION_H

struct seat;

/** Grants what a seat's clients ask with a valid serial: clipboard, primary selection, drags. */
void selection_init(struct seat *seat);
void selection_finish(struct seat *seat);

#endif
