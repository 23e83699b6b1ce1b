#ifndef CURSOR_H
#define CURSOR_H

#include <stdbool.h>
#include <stdint.h>

struct node_hit;
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

/** What a press at HIT does to the focus. */
void cursor_focus_hit(struct seat *seat, const struct node_hit *hit);
/** A finger stands in for the pointer and its left button. */
void cursor_emulate_motion(struct seat *seat, double lx, double ly, uint32_t time);
void cursor_emulate_button(struct seat *seat, bool pressed, uint32_t time);

#endif
