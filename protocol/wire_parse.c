#include <string.h>

#include "wire-impl.h"

ptrdiff_t portal_wire_size(const void *data, size_t available) {
	if (available < PORTAL_WIRE_HEADER) {
		return 0;
	}
	uint32_t untrusted_word;
	memcpy(&untrusted_word, (const uint8_t *)data + 4, sizeof(untrusted_word));
	uint32_t size = untrusted_word >> 16;
	if (size < PORTAL_WIRE_HEADER || size > PORTAL_WIRE_MESSAGE_MAX || size % 4 != 0) {
		return -1;
	}
	return size;
}

void portal_wire_rewrite(struct portal_wire_call *call, unsigned int arg, uint32_t word) {
	memcpy(call->data + call->values[arg].offset, &word, sizeof(word));
	call->values[arg].untrusted_word = word;
}

/* The text or bytes behind a length word; at is behind that word and moved on. */
static enum portal_wire_verdict parse_bytes(struct portal_wire *wire,
	const struct portal_wire_call *call, struct portal_wire_value *value, bool string,
	size_t *at) {
	uint32_t length = value->untrusted_word;
	if (length > call->size - *at) {
		return portal_wire_fail(wire, call, "an argument goes beyond the message's end");
	}
	const char *bytes = (const char *)call->data + *at;
	/* The message's size is a multiple of four: padding cannot go beyond what length does not.
	 */
	*at += (length + 3) & ~3u;
	if (!string) {
		return PORTAL_WIRE_PASS;
	}
	if (memchr(bytes, '\0', length) != bytes + length - 1) {
		return portal_wire_fail(wire, call, "a string does not end at its only NUL");
	}
	value->untrusted_string = bytes;
	return PORTAL_WIRE_PASS;
}

static enum portal_wire_verdict parse_arg(struct portal_wire *wire,
	const struct portal_wire_call *call, const struct portal_wire_arg *arg,
	struct portal_wire_value *value, size_t *at) {
	if (arg->type == PORTAL_WIRE_ARG_FD) {
		return PORTAL_WIRE_PASS; /* not in the bytes */
	}
	if (call->size - *at < 4) {
		return portal_wire_fail(wire, call, "the message is too short");
	}
	memcpy(&value->untrusted_word, call->data + *at, 4);
	value->offset = (uint16_t)*at;
	*at += 4;

	switch (arg->type) {
	case PORTAL_WIRE_ARG_STRING:
		if (value->untrusted_word == 0) {
			return arg->nullable ? PORTAL_WIRE_PASS
					     : portal_wire_fail(wire, call, "a string is null");
		}
		return parse_bytes(wire, call, value, true, at);
	case PORTAL_WIRE_ARG_ARRAY:
		return parse_bytes(wire, call, value, false, at);
	case PORTAL_WIRE_ARG_OBJECT:
		if (value->untrusted_word == 0 && !arg->nullable) {
			return portal_wire_fail(wire, call, "an object is null");
		}
		return PORTAL_WIRE_PASS;
	default:
		return PORTAL_WIRE_PASS;
	}
}

static enum portal_wire_verdict find_message(
	struct portal_wire *wire, struct portal_wire_call *call) {
	const struct portal_wire_interface *interface = &portal_wire_interfaces[call->interface];
	unsigned int count = call->request ? interface->n_requests : interface->n_events;
	const struct portal_wire_message *messages =
		call->request ? interface->requests : interface->events;
	if (call->opcode >= count) {
		return portal_wire_fail(wire, call, "no such message");
	}
	call->message = &messages[call->opcode];
	if (call->message->since > call->version) {
		return portal_wire_fail(wire, call, "is of version %d, the object of version %d",
			call->message->since, call->version);
	}
	return PORTAL_WIRE_PASS;
}

enum portal_wire_verdict portal_wire_parse(
	struct portal_wire *wire, struct portal_wire_call *call) {
	enum portal_wire_verdict verdict = find_message(wire, call);
	size_t at = PORTAL_WIRE_HEADER;
	for (unsigned int i = 0; verdict == PORTAL_WIRE_PASS && i < call->message->n_args; i++) {
		call->values[i] = (struct portal_wire_value){0};
		verdict = parse_arg(wire, call, &call->message->args[i], &call->values[i], &at);
	}
	if (verdict == PORTAL_WIRE_PASS && at != call->size) {
		return portal_wire_fail(
			wire, call, "%zu bytes stand behind the arguments", call->size - at);
	}
	return verdict;
}
