#ifndef PLACEMENT_H
#define PLACEMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <wlr/util/box.h>

struct toplevel;

/**
 * Where a window's layout wants it, without the frame, in layout coordinates. A size of 0×0: the
 * client chooses.
 */
struct wlr_box placement_box(struct toplevel *toplevel);
/** The edges (enum wlr_edges) at which it touches something. */
uint32_t placement_tiled_edges(const struct toplevel *toplevel);
/** The largest size that is comfortable on its output. */
struct wlr_box placement_bounds(struct toplevel *toplevel);

/** Finds a place for a window that has just got its size, and stores it in the window's box. */
void placement_place(struct toplevel *toplevel);
/** A fullscreen window that is smaller than its output stands in its middle. */
void placement_center_fullscreen(struct toplevel *toplevel);
/**
 * A bar has taken room that was there: a floating window whose title bar it covers moves below it.
 * BEFORE: the room that there was.
 */
void placement_uncover(struct toplevel *toplevel, const struct wlr_box *before);
/** Whether enough of a window's title bar would be seen, with its corner there, to take it by. */
bool placement_is_reachable(struct toplevel *toplevel, int x, int y);
/** Brings a floating window whose output is gone back to where it can be reached. */
void placement_rescue(struct toplevel *toplevel);

#endif
