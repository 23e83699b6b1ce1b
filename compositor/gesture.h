#ifndef GESTURE_H
#define GESTURE_H

struct seat;

/** Passes a touch pad's gestures to the client under the pointer (pointer-gestures). */
void gesture_init(struct seat *seat);
void gesture_finish(struct seat *seat);

#endif
