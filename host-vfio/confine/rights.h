#ifndef HOST_CONFINE_RIGHTS_H
#define HOST_CONFINE_RIGHTS_H

#include <stdint.h>

/*
 * This process has at most so many descriptors and bytes of address space from now on, or fewer
 * where it was given fewer; it dumps no core, cannot be traced, and no program that it starts has
 * more rights than itself. Returns 0, or -1 with errno.
 *
 * In a build with the address sanitizer, whose own memory takes terabytes, the address space stays
 * as it is, and LeakSanitizer does not look at the process's end: it would need system calls that
 * are not there any more.
 */
int rights_confine(uint64_t descriptors, uint64_t memory);

#endif
