/* Prints every event of a seat in a stable form, and keeps the serials a client needs. */
#ifndef SEATLOG_H
#define SEATLOG_H

#include "client.h"

struct seatlog {
	struct client *client;
	struct wl_pointer *pointer; // NULL while the seat has none, as the two below
	struct wl_keyboard *keyboard;
	struct wl_touch *touch;
	struct wl_surface *pointer_surface; // under the pointer
	struct wl_surface *pressed_surface; // pressed or touched last
	uint32_t enter_serial, button_serial,
		key_serial; // of the last such event; a touch is a press
	bool entered, pressed, focused; // such an event has come since it was last cleared
	bool quiet; // keep the state, print nothing
	/* Called when set; a finger that comes down is button 0. */
	void (*button)(struct seatlog *log, uint32_t button, bool pressed);
	void *data;
};

/* Surfaces are printed by this name; it must outlive the surface. */
void seatlog_name(struct wl_surface *surface, const char *name);

/* Starts on the client's seat and waits until its capabilities are known; the caller finishes it.
 * Ends the program when there is no seat. */
void seatlog_init(struct seatlog *log, struct client *client, bool quiet);
void seatlog_finish(struct seatlog *log);

#endif
