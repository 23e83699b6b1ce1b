#ifndef HOST_HEAP_START_NEEDS_H
#define HOST_HEAP_START_NEEDS_H

#include "base/strings.h"
#include "domain/dac.h"

/* What came of it, from good to bad. */
enum start_needs {
	START_NEEDS_DONE = 0,
	START_NEEDS_LACK = -1, /* a channel's place, or a heap in the size that is defined */
	START_NEEDS_UNMADE = -2, /* a heap's file; where QEMU makes it, everybody may read it */
	START_NEEDS_REFUSED = -3, /* a heap's file that is there, through which others would see the
				     guest's windows: the domain must not start */
};

/*
 * Makes what a domain's start wants beside the domain: the file of a guest's own heap, and for a
 * controller VM what it has of guests that may start later, the files of their heaps and the places
 * of their channels' sockets (libvirt looks for them, to own them; a guest's start takes the
 * place). A heap's file is made where it is missing (of an nvdimm's QEMU would make empty memory)
 * and where it has another size than the definition says, but for a guest's that somebody has open.
 * `xml` is the definition, `dac` the user that QEMU is to run as; for a domain that has nothing of
 * Portal's nothing is made. What cannot be made does not keep the rest from being made: `problems`
 * gets a sentence for each, with the path. The worst enum start_needs of them.
 */
int start_needs_make(const char *xml, const struct domain_dac *dac, struct strings *problems);

#endif
