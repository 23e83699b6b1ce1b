#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "auth.h"

static_assert(crypto_generichash_BYTES == PORTAL_AUTH_SIZE, "BLAKE2b-256");

static void update_sized(crypto_generichash_state *state, const void *data, size_t size) {
	const uint64_t length = size;
	crypto_generichash_update(state, (const uint8_t *)&length, sizeof(length));
	crypto_generichash_update(state, data, size);
}

void portal_auth_transcript_init(struct portal_auth_transcript *transcript,
	const void *controller_hello, size_t controller_size, const void *guest_hello,
	size_t guest_size) {
	crypto_generichash_state state;
	crypto_generichash_init(&state, NULL, 0, sizeof(transcript->digest));
	update_sized(&state, controller_hello, controller_size);
	update_sized(&state, guest_hello, guest_size);
	crypto_generichash_final(&state, transcript->digest, sizeof(transcript->digest));
}

void portal_auth_prove(uint8_t proof[PORTAL_AUTH_SIZE], const uint8_t key[PORTAL_KEY_SIZE],
	enum portal_role role, const struct portal_auth_transcript *transcript) {
	/* A proof made by one role is none for the other, so it cannot be sent back. */
	const char *label = role == PORTAL_ROLE_CONTROLLER ? "portal controller" : "portal guest";
	crypto_generichash_state state;
	crypto_generichash_init(&state, key, PORTAL_KEY_SIZE, PORTAL_AUTH_SIZE);
	update_sized(&state, label, strlen(label));
	update_sized(&state, transcript->digest, sizeof(transcript->digest));
	crypto_generichash_final(&state, proof, PORTAL_AUTH_SIZE);
	sodium_memzero(&state, sizeof(state));
}

bool portal_auth_verify(const uint8_t proof[PORTAL_AUTH_SIZE], const uint8_t key[PORTAL_KEY_SIZE],
	enum portal_role role, const struct portal_auth_transcript *transcript) {
	uint8_t expected[PORTAL_AUTH_SIZE];
	portal_auth_prove(expected, key, role, transcript);
	return sodium_memcmp(expected, proof, sizeof(expected)) == 0;
}

static int parse_key(uint8_t key[PORTAL_KEY_SIZE], const char *text, size_t length) {
	if (length == PORTAL_KEY_SIZE) {
		memcpy(key, text, PORTAL_KEY_SIZE);
		return 0;
	}
	size_t size = 0;
	if (sodium_hex2bin(key, PORTAL_KEY_SIZE, text, length, " \t\r\n", &size, NULL) < 0 ||
		size != PORTAL_KEY_SIZE) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

int portal_auth_load_key(const char *path, uint8_t key[PORTAL_KEY_SIZE]) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return -1;
	}
	char text[4 * PORTAL_KEY_SIZE];
	ssize_t length = read(fd, text, sizeof(text));
	int error = errno;
	close(fd);
	errno = error;
	int result = length < 0 ? -1 : parse_key(key, text, (size_t)length);
	sodium_memzero(text, sizeof(text));
	return result;
}

int portal_auth_create_key(const char *path) {
	uint8_t key[PORTAL_KEY_SIZE];
	char text[2 * PORTAL_KEY_SIZE + 1];
	if (sodium_init() < 0) {
		errno = ENOSYS;
		return -1;
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		return -1;
	}
	randombytes_buf(key, sizeof(key));
	sodium_bin2hex(text, sizeof(text), key, sizeof(key));
	text[sizeof(text) - 1] = '\n';
	ssize_t written = write(fd, text, sizeof(text));
	int error = written < 0 ? errno : written == (ssize_t)sizeof(text) ? 0 : ENOSPC;
	sodium_memzero(key, sizeof(key));
	sodium_memzero(text, sizeof(text));
	if (close(fd) < 0 && error == 0) {
		error = errno;
	}
	if (error != 0) {
		unlink(path);
		errno = error;
		return -1;
	}
	return 0;
}
