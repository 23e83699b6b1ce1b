#ifndef CURSOR_H
#define CURSOR_H

#include <stdint.h>

struct seat;

/** Handles the seat's pointer: motion, buttons, scrolling, gestures. */
void cursor_init(struct seat *seat);
void cursor_finish(struct seat *seat);

/** Works out anew what is below the pointer, and tells it. TIME in milliseconds; 0: now. */
void cursor_update(struct seat *seat, uint32_t time);
/** Shows a shape of the theme, named as in CSS. */
void cursor_set_shape(struct seat *seat, const char *name);
/** The shape for resizing at EDGES (enum wlr_edges). */
const char *cursor_edge_shape(uint32_t edges);

#endif
