#ifndef EVENT_MASK_H
#define EVENT_MASK_H

#include <stdint.h>

/* The event loop's WL_EVENT_* and the events of poll(2), which the channel and its relays speak of.
 */

uint32_t event_mask_of_poll(short events);
/* With POLLHUP where there is nothing more to wait for. */
short event_mask_to_poll(uint32_t mask);

#endif
