#include "event_mask.h"
#include <poll.h>
#include <wayland-server-core.h>

uint32_t event_mask_of_poll(short events) {
	return ((events & POLLIN) != 0 ? (uint32_t)WL_EVENT_READABLE : 0) |
	       ((events & POLLOUT) != 0 ? (uint32_t)WL_EVENT_WRITABLE : 0);
}

short event_mask_to_poll(uint32_t mask) {
	short events = 0;
	if ((mask & WL_EVENT_READABLE) != 0) {
		events |= POLLIN;
	}
	if ((mask & WL_EVENT_WRITABLE) != 0) {
		events |= POLLOUT;
	}
	if ((mask & (WL_EVENT_HANGUP | WL_EVENT_ERROR)) != 0) {
		events |= POLLHUP;
	}
	return events;
}
