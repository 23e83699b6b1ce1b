#ifndef PORTAL_TEST_WIRE_FIXTURE_H
#define PORTAL_TEST_WIRE_FIXTURE_H

/* A connection that is fed one message at a time; failures are cmocka's. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "message.h"
#include "quota.h"
#include "wire-tables.h"
#include "wire.h"

#define HEAP_SIZE (1 << 20)

/* Ids that fixture_setup() makes; the next free client id is ID_FREE. */
enum {
	ID_DISPLAY = 1,
	ID_REGISTRY,
	ID_COMPOSITOR,
	ID_SHM,
	ID_SEAT,
	ID_WM_BASE,
	ID_FIXES,
	ID_FREE,
};

struct fixture {
	struct portal_quota quota;
	struct portal_wire *wire;
	struct portal_wire_info info; /* of the last message */
	uint8_t seen[PORTAL_WIRE_MESSAGE_MAX]; /* the last message, as it would go on */
	size_t seen_size;
};

/* A word of the last message behind its header. */
static inline uint32_t seen_word(const struct fixture *fixture, size_t index) {
	uint32_t word;
	memcpy(&word, fixture->seen + PORTAL_WIRE_HEADER + 4 * index, 4);
	return word;
}

static inline enum portal_wire_verdict feed(
	struct fixture *fixture, bool request, const struct message *message) {
	ptrdiff_t size = portal_wire_size(message->data, message->size);
	assert_int_equal(size, message->size);
	memcpy(fixture->seen, message->data, message->size);
	fixture->seen_size = message->size;
	return request ? portal_wire_request(
				 fixture->wire, fixture->seen, message->size, &fixture->info)
		       : portal_wire_event(
				 fixture->wire, fixture->seen, message->size, &fixture->info);
}

/* request(fixture, object, PORTAL_REQUEST_…, "format", …) gives the verdict; so does event. */
#define feed_one(fixture, is_request, object, opcode, ...)                                         \
	({                                                                                         \
		struct message message_ = {.size = 0};                                             \
		message_add(&message_, object, opcode, __VA_ARGS__);                               \
		feed(fixture, is_request, &message_);                                              \
	})
#define request(fixture, object, opcode, ...) feed_one(fixture, true, object, opcode, __VA_ARGS__)
#define event(fixture, object, opcode, ...) feed_one(fixture, false, object, opcode, __VA_ARGS__)

#define assert_passes(verdict) assert_int_equal(verdict, PORTAL_WIRE_PASS)
#define assert_hidden(verdict) assert_int_equal(verdict, PORTAL_WIRE_HIDE)
#define assert_violation(fixture, verdict, text)                                                   \
	do {                                                                                       \
		assert_int_equal(verdict, PORTAL_WIRE_VIOLATION);                                  \
		assert_string_equal(portal_wire_error((fixture)->wire), text);                     \
	} while (0)
#define assert_refused(fixture, verdict, text)                                                     \
	do {                                                                                       \
		assert_int_equal(verdict, PORTAL_WIRE_REFUSE);                                     \
		assert_string_equal(portal_wire_error((fixture)->wire), text);                     \
	} while (0)

/* A connection whose client has bound the usual globals: see the enum above. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

#endif
