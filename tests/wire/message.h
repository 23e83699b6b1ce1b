#ifndef PORTAL_TEST_MESSAGE_H
#define PORTAL_TEST_MESSAGE_H

/* Writes Wayland messages as a client, a server, or somebody who means harm would. */

#include <stdint.h>
#include <stdlib.h>

struct message {
	uint8_t data[65536 + 64];
	size_t begin, size; /* of the message being written; of all of them */
};

/* Starts a message behind those already there. */
void message_begin(struct message *message, uint32_t object, uint16_t opcode);
void message_word(struct message *message, uint32_t word);
void message_string(struct message *message, const char *string); /* NULL: null */
void message_array(struct message *message, const void *bytes, size_t size);
/* Puts the size into the header. */
void message_end(struct message *message);

/* One message with a format such as "uis": u, i, o, n, f words, s string, a empty array. */
void message_add(
	struct message *message, uint32_t object, uint16_t opcode, const char *format, ...);

#endif
