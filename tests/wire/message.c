#include "message.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

void message_word(struct message *message, uint32_t word) {
	assert(message->size + 4 <= sizeof(message->data));
	memcpy(message->data + message->size, &word, 4);
	message->size += 4;
}

void message_begin(struct message *message, uint32_t object, uint16_t opcode) {
	message->begin = message->size;
	message_word(message, object);
	message_word(message, opcode);
}

void message_array(struct message *message, const void *bytes, size_t size) {
	size_t padded = (size + 3) & ~(size_t)3;
	message_word(message, (uint32_t)size);
	assert(message->size + padded <= sizeof(message->data));
	memset(message->data + message->size, 0, padded);
	if (size > 0) {
		memcpy(message->data + message->size, bytes, size);
	}
	message->size += padded;
}

void message_string(struct message *message, const char *string) {
	if (string) {
		message_array(message, string, strlen(string) + 1);
	} else {
		message_word(message, 0);
	}
}

void message_end(struct message *message) {
	uint32_t word;
	memcpy(&word, message->data + message->begin + 4, 4);
	word |= (uint32_t)(message->size - message->begin) << 16;
	memcpy(message->data + message->begin + 4, &word, 4);
}

void message_add(
	struct message *message, uint32_t object, uint16_t opcode, const char *format, ...) {
	va_list args;
	va_start(args, format);
	message_begin(message, object, opcode);
	for (const char *c = format; *c != '\0'; c++) {
		switch (*c) {
		case 's':
			message_string(message, va_arg(args, const char *));
			break;
		case 'a':
			message_array(message, NULL, 0);
			break;
		default:
			message_word(message, va_arg(args, uint32_t));
			break;
		}
	}
	va_end(args);
	message_end(message);
}
