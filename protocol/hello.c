#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hello.h"

enum {
	HELLO_FLAG_NEEDS_KEY = 1,
};

enum hello_field_type {
	HELLO_FIELD_NAME = 1,
	HELLO_FIELD_SOFTWARE = 2,
	HELLO_FIELD_HEAP = 3,
};

struct hello_fixed {
	uint32_t version_min, version_max;
	uint32_t role;
	uint32_t flags;
	uint64_t features;
	uint8_t nonce[32];
	uint8_t session[16];
	uint8_t boot_id[16];
};
static_assert(sizeof(struct hello_fixed) == PORTAL_HELLO_MIN, "hello");

/* a field's content follows, and zeros up to a multiple of four bytes */
struct hello_field {
	uint16_t type;
	uint16_t length;
};
static_assert(sizeof(struct hello_field) == 4, "hello field");

struct writer {
	uint8_t *at;
	size_t left;
	bool full;
};

static size_t pad4(size_t size) {
	return (size + 3) & ~(size_t)3;
}

static void put(struct writer *writer, const void *data, size_t size) {
	if (writer->full || writer->left < pad4(size)) {
		writer->full = true;
		return;
	}
	memset(writer->at, 0, pad4(size));
	memcpy(writer->at, data, size);
	writer->at += pad4(size);
	writer->left -= pad4(size);
}

static void put_field(
	struct writer *writer, enum hello_field_type type, const void *data, size_t size) {
	const struct hello_field field = {.type = (uint16_t)type, .length = (uint16_t)size};
	if (size > 0) {
		put(writer, &field, sizeof(field));
		put(writer, data, size);
	}
}

ptrdiff_t portal_hello_encode(const struct portal_hello *hello, void *payload, size_t size) {
	struct hello_fixed fixed = {
		.version_min = hello->version_min,
		.version_max = hello->version_max,
		.role = hello->role,
		.flags = hello->needs_key ? HELLO_FLAG_NEEDS_KEY : 0,
		.features = hello->features,
	};
	memcpy(fixed.nonce, hello->nonce, sizeof(fixed.nonce));
	memcpy(fixed.session, hello->session, sizeof(fixed.session));
	memcpy(fixed.boot_id, hello->boot_id, sizeof(fixed.boot_id));
	struct writer writer = {.at = payload, .left = size};
	put(&writer, &fixed, sizeof(fixed));
	put_field(&writer, HELLO_FIELD_NAME, hello->name, strlen(hello->name));
	put_field(&writer, HELLO_FIELD_SOFTWARE, hello->software, strlen(hello->software));
	if (hello->heap.size != 0) {
		put_field(&writer, HELLO_FIELD_HEAP, &hello->heap, sizeof(hello->heap));
	}
	if (writer.full) {
		errno = ENOSPC;
		return -1;
	}
	return writer.at - (uint8_t *)payload;
}

static int read_name(char name[PORTAL_NAME_MAX + 1], const uint8_t *content, size_t length) {
	if (length > PORTAL_NAME_MAX) {
		return -1;
	}
	for (size_t i = 0; i < length; i++) {
		if (content[i] < 0x20 || content[i] > 0x7e) {
			return -1;
		}
	}
	memcpy(name, content, length);
	name[length] = '\0';
	return 0;
}

static int read_field(
	struct portal_hello *hello, uint16_t type, const uint8_t *content, size_t length) {
	switch (type) {
	case HELLO_FIELD_NAME:
		return read_name(hello->name, content, length);
	case HELLO_FIELD_SOFTWARE:
		return read_name(hello->software, content, length);
	case HELLO_FIELD_HEAP:
		/* a later version may append to it */
		if (length < sizeof(hello->heap)) {
			return -1;
		}
		memcpy(&hello->heap, content, sizeof(hello->heap));
		return 0;
	default:
		return 0;
	}
}

static int read_fields(struct portal_hello *hello, const uint8_t *at, size_t left) {
	while (left > 0) {
		struct hello_field field;
		if (left < sizeof(field)) {
			return -1;
		}
		memcpy(&field, at, sizeof(field));
		at += sizeof(field);
		left -= sizeof(field);
		if (left < pad4(field.length) ||
			read_field(hello, field.type, at, field.length) < 0) {
			return -1;
		}
		at += pad4(field.length);
		left -= pad4(field.length);
	}
	return 0;
}

int portal_hello_decode(struct portal_hello *hello, const void *payload, size_t size) {
	struct hello_fixed fixed;
	errno = EPROTO;
	if (size < sizeof(fixed)) {
		return -1;
	}
	memcpy(&fixed, payload, sizeof(fixed));
	if (fixed.version_min == 0 || fixed.version_min > fixed.version_max ||
		(fixed.role != PORTAL_ROLE_CONTROLLER && fixed.role != PORTAL_ROLE_GUEST)) {
		return -1;
	}
	*hello = (struct portal_hello){
		.version_min = fixed.version_min,
		.version_max = fixed.version_max,
		.role = fixed.role,
		.features = fixed.features,
		.needs_key = (fixed.flags & HELLO_FLAG_NEEDS_KEY) != 0,
	};
	memcpy(hello->nonce, fixed.nonce, sizeof(fixed.nonce));
	memcpy(hello->session, fixed.session, sizeof(fixed.session));
	memcpy(hello->boot_id, fixed.boot_id, sizeof(fixed.boot_id));
	return read_fields(hello, (const uint8_t *)payload + sizeof(fixed), size - sizeof(fixed));
}

static const char *role_name(enum portal_role role) {
	return role == PORTAL_ROLE_CONTROLLER ? "controller" : "guest";
}

uint32_t portal_hello_negotiate(const struct portal_hello *local, const struct portal_hello *peer,
	char *text, size_t text_size) {
	uint32_t highest =
		local->version_max < peer->version_max ? local->version_max : peer->version_max;
	if (highest >= local->version_min && highest >= peer->version_min) {
		return highest;
	}
	snprintf(text, text_size,
		"the %s speaks channel versions %u to %u, the %s %u to %u: update the older one",
		role_name(local->role), local->version_min, local->version_max,
		role_name(peer->role), peer->version_min, peer->version_max);
	return 0;
}

static int hex_digit(char c) {
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_uuid(uint8_t id[16], const char *text, size_t length) {
	size_t digits = 0;
	for (size_t i = 0; i < length && digits < 32; i++) {
		int digit = hex_digit(text[i]);
		if (digit >= 0) {
			id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | digit);
			digits++;
		}
	}
	return digits == 32 ? 0 : -1;
}

int portal_hello_get_boot_id(uint8_t id[16]) {
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return -1;
	}
	char text[64];
	ssize_t length = read(fd, text, sizeof(text));
	close(fd);
	memset(id, 0, 16);
	if (length < 0 || parse_uuid(id, text, (size_t)length) < 0) {
		errno = EIO;
		return -1;
	}
	return 0;
}
