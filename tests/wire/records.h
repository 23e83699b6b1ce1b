#ifndef PORTAL_TEST_RECORDS_H
#define PORTAL_TEST_RECORDS_H

/*
 * A conversation in a file, for the fuzzer of the Wayland checks: records of four bytes, each
 * followed by one Wayland message. The lowest bit of the first says who speaks (0 client,
 * 1 server), the next one that a new id in a request is to become the next one there is, whatever
 * it is in the file.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wire.h"

#define RECORD_HEADER 4
#define RECORD_NEXT_ID 2

/*
 * Copies the message of the record at *at and moves on. Returns its size, 0 at the end or where no
 * message can be cut out.
 */
static inline size_t record_next(const uint8_t *data, size_t size, size_t *at, bool *event,
	uint8_t message[PORTAL_WIRE_MESSAGE_MAX]) {
	if (*at > size || size - *at < RECORD_HEADER) {
		return 0;
	}
	*event = data[*at] & 1;
	*at += RECORD_HEADER;
	ptrdiff_t length = portal_wire_size(data + *at, size - *at);
	if (length <= 0 || (size_t)length > size - *at) {
		return 0;
	}
	memcpy(message, data + *at, (size_t)length);
	*at += (size_t)length;
	return (size_t)length;
}

#endif
