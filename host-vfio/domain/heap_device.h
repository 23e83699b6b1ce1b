#ifndef HOST_DOMAIN_HEAP_DEVICE_H
#define HOST_DOMAIN_HEAP_DEVICE_H

#include <libxml/tree.h>

#include "base/error.h"
#include "domain/spec.h"

/* A heap as a device in a definition: the guest's own, or one in its controller. */
struct heap_device {
	enum domain_heap kind;
	const char *path; /* the host's file; in /dev/shm for ivshmem */
	uint64_t size; /* bytes; a multiple of 2 MiB for nvdimm, a power of two for ivshmem */
};

/* The element without alias and address, in no document. NULL with the reason. */
xmlNode *heap_device_create(const struct heap_device *heap, struct error *error);
/* Reads <memory model='nvdimm'> or <shmem>. The caller frees *path. False for another element. */
bool heap_device_read(xmlNode *node, struct heap_device *heap, char **path);

#endif
