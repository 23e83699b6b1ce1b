/* Requests that a wlroots without this guard would end the compositor for. */
#ifndef PORTAL_GUARD_H
#define PORTAL_GUARD_H

#include <stdbool.h>

struct wl_display;

/* Lives as long as the display. Returns false when there is no memory. */
bool guard_create(struct wl_display *display);

#endif
