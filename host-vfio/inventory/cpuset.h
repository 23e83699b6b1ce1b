#ifndef HOST_INVENTORY_CPUSET_H
#define HOST_INVENTORY_CPUSET_H

#include <stdbool.h>
#include <stdint.h>

/* A set of the host's processors (logical ones, as the kernel counts them). */

enum { CPUSET_MAX = 8192 };

struct cpuset {
	uint64_t words[CPUSET_MAX / 64];
};

/* "0-3,8,^2" as libvirt and the kernel write it ("^" takes one out); false for anything else, and
 * for numbers over CPUSET_MAX. An empty text is an empty set. */
bool cpuset_parse(const char *text, struct cpuset *set);
/* The same way, ascending; the caller's. */
char *cpuset_format(const struct cpuset *set);

bool cpuset_has(const struct cpuset *set, unsigned cpu);
void cpuset_add(struct cpuset *set, unsigned cpu);
void cpuset_add_all(struct cpuset *set, const struct cpuset *other);
unsigned cpuset_count(const struct cpuset *set);
/* The lowest member that is not below `from`; CPUSET_MAX when there is none. */
unsigned cpuset_next(const struct cpuset *set, unsigned from);

#endif
