#ifndef HOST_DOMAIN_HEAP_FOLLOWER_H
#define HOST_DOMAIN_HEAP_FOLLOWER_H

#include "domain/heap_plug.h"

/*
 * Keeps the heaps of guests in a controller VM while it runs: a guest's heap comes when the guest
 * has started, with whatever size it was given for that, and goes when it has stopped. It looks at
 * what is and brings about what should be, so nothing is lost by events that were missed. Guests
 * without a heap, and heaps that the controller is defined with, are left alone.
 */
struct heap_follower;

struct heap_follower_guest {
	const char *name; /* in portal.scfg */
	const char *domain; /* in libvirt */
};

/* Told about what was done and what could not be: with `result` 0 the heap came or went, else it is
 * an enum domain_failure with the reason. Not to destroy the follower from. */
typedef void (*heap_follower_handler)(
	void *data, const char *guest, bool came, int result, const struct error *error);

/* The guest system of the controller has `deadline_ms` to let a heap go; when it does not, it is
 * asked again at the next notice. Copies the guests; begins with the loop's next turn. NULL when
 * out of memory. */
struct heap_follower *heap_follower_create(struct domain_manager *manager, const char *controller,
	const struct heap_follower_guest *guests, size_t count, unsigned deadline_ms,
	heap_follower_handler handler, void *data);
void heap_follower_destroy(struct heap_follower *follower);
/* Something about some domain has changed: to be called from the manager's handler. */
void heap_follower_notice(struct heap_follower *follower);

#endif
