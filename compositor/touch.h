#ifndef TOUCH_H
#define TOUCH_H

struct seat;

/** Handles the seat's touch screens: a finger belongs to the surface it came down on; the first one
 * also focuses, and works title bars as the pointer does. */
void touch_init(struct seat *seat);
void touch_finish(struct seat *seat);

#endif
