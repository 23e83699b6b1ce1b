#ifndef INTERACTIVE_H
#define INTERACTIVE_H

#include <stdint.h>

struct seat;
struct toplevel;
struct wlr_seat_client;

/**
 * A client asks that the pointer that pressed it with SERIAL move (EDGES 0) or resize its window.
 * Anything but the press that is still held is ignored.
 */
void interactive_request(
	struct toplevel *toplevel, struct wlr_seat_client *client, uint32_t serial, uint32_t edges);

/** Begins a move (EDGES 0) or a resize with the seat's pointer. */
void interactive_begin(struct seat *seat, struct toplevel *toplevel, uint32_t edges);
/** The pointer has moved. */
void interactive_update(struct seat *seat);
/** The button has been released, or the window has gone. */
void interactive_end(struct seat *seat);

#endif
