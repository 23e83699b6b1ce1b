#ifndef HOST_HEAP_HEAP_FILE_H
#define HOST_HEAP_HEAP_FILE_H

#include <stdbool.h>

#include "base/error.h"
#include "domain/dac.h"
#include "domain/heap_device.h"

/*
 * The file behind a heap. It belongs to the user that QEMU runs as, and to nobody else: `dac` says
 * who that is. Where it is not the caller and the caller not root, that cannot be had, and is
 * refused with what to do.
 */

enum heap_file_result {
	HEAP_FILE_DONE = 0,
	HEAP_FILE_FAILED = -1, /* it could not be made */
	HEAP_FILE_REFUSED = -2, /* others would see the guest's windows */
};

/* Makes the file, empty, or gives one that is there the heap's size. Enum heap_file_result, with
 * the reason. */
int heap_file_make(
	const struct heap_device *heap, const struct domain_dac *dac, struct error *error);
/* For a file that is there and stays as it is. Enum heap_file_result, with the reason. */
int heap_file_take(
	const struct heap_device *heap, const struct domain_dac *dac, struct error *error);
/* Is there a file of the heap's size, and nothing of it for everybody to open? */
bool heap_file_fits(const struct heap_device *heap);
/* Has any process the file open? */
bool heap_file_is_in_use(const char *path);

/* Writes a user's name, or number, to text. Returns text. */
#define HEAP_FILE_USER 64
const char *heap_file_user(uid_t user, char text[HEAP_FILE_USER]);

#endif
