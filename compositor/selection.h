#ifndef SELECTION_H
#define SELECTION_H

#include <stdbool.h>
#include <stdint.h>

struct seat;

/** Grants what a seat's clients ask with a valid serial: clipboard, primary selection, drags. */
void selection_init(struct seat *seat);
void selection_finish(struct seat *seat);

/** What is dragged by the pointer is where that is now. */
void selection_follow_pointer(struct seat *seat);
/**
 * A finger is at a point of the layout. False: it drags nothing; else that has been told. TIME in
 * milliseconds.
 */
bool selection_follow_finger(struct seat *seat, int32_t id, double lx, double ly, uint32_t time);
/** A finger is being lifted: what it drags and nobody has accepted is cancelled. */
void selection_lift_finger(struct seat *seat, int32_t id);

#endif
