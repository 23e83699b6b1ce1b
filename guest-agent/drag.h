/*
 * Drags of applications, which stay inside the guest.
 *
 * While something is held down the controller sends all motion to the surface it was pressed on,
 * and knows nothing of the drag. So what lies below it is found among the surfaces of the window
 * that one belongs to, and its icon is shown as a subsurface there.
 */
#ifndef GUEST_AGENT_DRAG_H
#define GUEST_AGENT_DRAG_H

#include <stdbool.h>
#include <stdint.h>

struct app;
struct drag;
struct seat;
struct surface;
struct wlr_seat_request_start_drag_event;

/** Grants what an application asks with the serial of a press, and refuses all else. */
void drag_start(struct seat *seat, struct wlr_seat_request_start_drag_event *event);
/** Whose drag it is; NULL: nothing is dragged. */
struct app *drag_get_app(const struct seat *seat);
/** The same for the seat's pointer only. */
struct app *drag_of_pointer(const struct seat *seat);
/** Is something dragged by this finger? */
bool drag_is_of_finger(const struct seat *seat, int32_t id);
/**
 * The pointer or finger that drags is at x, y of the surface it was pressed on: tells the
 * application, by way of the seat's grab. The time is the controller's, in milliseconds; 0: it
 * begins there.
 */
void drag_motion(struct seat *seat, uint32_t time, struct surface *pressed, double x, double y);
/** The drag can not go on: its source is told so. Nothing happens without one. */
void drag_cancel(struct seat *seat);
/** The same, if it is the pointer's. */
void drag_cancel_pointer(struct seat *seat);

/** The finger that drags is being lifted: what nobody has accepted is cancelled. */
void drag_lift(struct seat *seat);

/** The icon's surface loses its mirror. */
void drag_icon_unrealize(struct surface *icon);
/** The icon's surface is going. */
void drag_icon_forget(struct surface *icon);
/** The icon's surface was committed with an offset. */
void drag_icon_offset(struct surface *icon, int32_t dx, int32_t dy);

#endif
