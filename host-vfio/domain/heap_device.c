#include "domain/heap_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "domain/tree.h"

#define MIB (UINT64_C(1) << 20)
#define SHM_DIRECTORY "/dev/shm/"

static xmlNode *create_nvdimm(const struct heap_device *heap, struct error *error) {
	if (heap->size % (2 * MIB) != 0) {
		error_set(error, "an nvdimm heap's size must be a multiple of 2M");
		return NULL;
	}
	xmlNode *memory = xmlNewNode(NULL, BAD_CAST "memory");
	tree_set(memory, "model", "nvdimm");
	tree_set(memory, "access", "shared");
	tree_add(tree_add(memory, "source", NULL), "path", heap->path);
	xmlNode *target = tree_add(memory, "target", NULL);
	tree_set_bytes(tree_add(target, "size", NULL), heap->size);
	tree_add(target, "node", "0");
	return memory;
}

static xmlNode *create_ivshmem(const struct heap_device *heap, struct error *error) {
	if ((heap->size & (heap->size - 1)) != 0 || heap->size < MIB) {
		error_set(error, "an ivshmem heap's size must be a power of two, such as 256M");
		return NULL;
	}
	const char *name = heap->path + strlen(SHM_DIRECTORY);
	if (strncmp(heap->path, SHM_DIRECTORY, strlen(SHM_DIRECTORY)) != 0 || name[0] == '\0' ||
		strchr(name, '/') != NULL) {
		error_set(error, "an ivshmem heap must be a file in " SHM_DIRECTORY ", not %s",
			heap->path);
		return NULL;
	}
	xmlNode *shmem = xmlNewNode(NULL, BAD_CAST "shmem");
	tree_set(shmem, "name", name);
	tree_set(tree_add(shmem, "model", NULL), "type", "ivshmem-plain");
	char text[32];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(heap->size / MIB));
	tree_set(tree_add(shmem, "size", text), "unit", "M");
	return shmem;
}

xmlNode *heap_device_create(const struct heap_device *heap, struct error *error) {
	if (heap->path == NULL || heap->size == 0) {
		error_set(error, "the heap has no path or no size");
		return NULL;
	}
	return heap->kind == DOMAIN_HEAP_NVDIMM ? create_nvdimm(heap, error)
						: create_ivshmem(heap, error);
}

bool heap_device_read(xmlNode *node, struct heap_device *heap, char **path) {
	*heap = (struct heap_device){0};
	*path = NULL;
	if (strcmp((const char *)node->name, "memory") == 0 && tree_is(node, "model", "nvdimm")) {
		heap->kind = DOMAIN_HEAP_NVDIMM;
		*path = tree_get_text(tree_child(tree_child(node, "source"), "path"));
		heap->size = tree_get_bytes(tree_child(tree_child(node, "target"), "size"));
	} else if (strcmp((const char *)node->name, "shmem") == 0) {
		char *name = tree_get(node, "name");
		heap->kind = DOMAIN_HEAP_IVSHMEM;
		*path = name == NULL ? NULL : must_print(SHM_DIRECTORY "%s", name);
		heap->size = tree_get_bytes(tree_child(node, "size"));
		free(name);
	}
	heap->path = *path;
	return *path != NULL;
}
