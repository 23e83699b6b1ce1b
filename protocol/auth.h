#ifndef PORTAL_AUTH_H
#define PORTAL_AUTH_H

#include "hello.h"

/*
 * Proof that an end has the VM's key: BLAKE2b-256 keyed with it over the prover's role and both
 * HELLO frames' payloads, which hold both nonces. The controller proves first.
 */

#define PORTAL_KEY_SIZE 32
#define PORTAL_AUTH_SIZE 32

struct portal_auth_transcript {
	/* BLAKE2b-256 over both payloads with their lengths, controller first */
	uint8_t digest[32];
};

void portal_auth_transcript_init(struct portal_auth_transcript *transcript,
	const void *controller_hello, size_t controller_size, const void *guest_hello,
	size_t guest_size);

void portal_auth_prove(uint8_t proof[PORTAL_AUTH_SIZE], const uint8_t key[PORTAL_KEY_SIZE],
	enum portal_role role, const struct portal_auth_transcript *transcript);

/* In constant time. */
bool portal_auth_verify(const uint8_t proof[PORTAL_AUTH_SIZE], const uint8_t key[PORTAL_KEY_SIZE],
	enum portal_role role, const struct portal_auth_transcript *transcript);

/*
 * Read a VM's key: 32 raw bytes, or 64 hexadecimal digits and white space. Returns 0, or −1 with
 * errno: EINVAL when the file holds no key, else open's or read's.
 */
int portal_auth_load_key(const char *path, uint8_t key[PORTAL_KEY_SIZE]);

/* Make a new key in a new file of mode 0600, as hexadecimal digits. −1 with errno (EEXIST …). */
int portal_auth_create_key(const char *path);

#endif
