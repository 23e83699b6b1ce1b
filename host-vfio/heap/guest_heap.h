#ifndef HOST_HEAP_GUEST_HEAP_H
#define HOST_HEAP_GUEST_HEAP_H

#include <stdint.h>

#include "domain/heap_device.h"
#include "domain/manager.h"

/* The heap of a guest's domain before it starts: the domain is off. Failures are an enum
 * domain_failure with the reason; a domain without a heap is fine. */

struct guest_heap {
	uint64_t former, size; /* bytes; 0: the domain has no heap */
};

/* Gives the domain a heap of so many bytes, at its next start: its definition is changed where it
 * says something else. A BAR (ivshmem) gets the power of two below. A heap that another domain, a
 * controller, is defined with or has now stays as large as it is. */
int guest_heap_resize(struct domain_manager *manager, const char *domain, uint64_t planned,
	struct guest_heap *heap, struct error *error);
/* Makes the file behind the heap, empty, of the size that the definition says, and of the user that
 * QEMU runs as. What one of that size holds that a controller has is left alone, since it may have
 * it open. */
int guest_heap_make_file(struct domain_manager *manager, const char *domain, struct error *error);
/* For a definition that was changed: a file that is there is given the heap's size, since QEMU
 * takes none that is shorter. One of that size keeps what it holds. */
int guest_heap_fit_file(struct domain_manager *manager, const char *domain, struct error *error);
/* Which other domain, a controller, is defined with this heap in another size? 1 with its name, the
 * caller's; 0 and NULL for none. */
int guest_heap_find_other(struct domain_manager *manager, const char *domain,
	const struct heap_device *heap, char **other, struct error *error);

#endif
