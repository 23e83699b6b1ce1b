#ifndef PORTAL_HELLO_H
#define PORTAL_HELLO_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * HELLO, the first frame in each direction. Its fixed part never changes; what later versions add
 * comes as fields behind it, and a field that is not known is skipped.
 */

#define PORTAL_VERSION_MIN 1
#define PORTAL_VERSION_MAX 1

#define PORTAL_NAME_MAX 63 /* bytes of a VM's or program's name, without NUL */
#define PORTAL_HELLO_MIN 88 /* bytes of payload: the fixed part */
#define PORTAL_HELLO_MAX 4096

enum portal_role {
	PORTAL_ROLE_CONTROLLER = 1, /* the bridge, which connects */
	PORTAL_ROLE_GUEST = 2, /* the agent, which listens */
};

/* Bits of HELLO's features; the channel uses what both ends have. */
enum portal_feature {
	PORTAL_FEATURE_SHARED_HEAP = 1 << 0, /* pixels lie in memory that both ends map */
	PORTAL_FEATURE_HEAP_FD = 1 << 1, /* the heap's descriptor came with this HELLO */
	PORTAL_FEATURE_DOOR = 1 << 2, /* not an agent: the host answers calls */
};

/* Where the heap is and how fast this end reaches it. All zero: this end has no heap. */
struct portal_hello_heap {
	uint8_t id[16]; /* as in the heap's header: both ends have mapped the same one */
	uint64_t size; /* bytes from the header to the heap's end */
	uint32_t kind; /* enum portal_heap_kind of this end */
	uint32_t read_speed; /* MB/s of this end's mapping, 0 when not measured */
	uint32_t write_speed; /* MB/s */
	uint32_t reserved;
};
static_assert(sizeof(struct portal_hello_heap) == 40, "hello heap");

struct portal_hello {
	uint32_t version_min, version_max;
	enum portal_role role;
	uint64_t features;
	uint8_t nonce[32]; /* random for each HELLO */
	uint8_t session[16]; /* random for each start of the program: another one is another agent
			      */
	uint8_t boot_id[16]; /* of this end's kernel */
	bool needs_key; /* this end demands AUTH */
	char name[PORTAL_NAME_MAX + 1]; /* of the VM, printable ASCII; may be empty */
	char software[PORTAL_NAME_MAX + 1]; /* "portal-agent 0.1.0"; may be empty */
	struct portal_hello_heap heap;
};

/*
 * Write the payload of a HELLO frame. Returns its length, at most PORTAL_HELLO_MAX; −1 with errno
 * ENOSPC when size is too small.
 */
ptrdiff_t portal_hello_encode(const struct portal_hello *hello, void *payload, size_t size);

/*
 * Read a HELLO's payload. Returns 0, or −1 with errno EPROTO when it is malformed. Names are
 * checked to be printable ASCII. Versions are not compared.
 */
int portal_hello_decode(struct portal_hello *hello, const void *payload, size_t size);

/*
 * The version both speak, the highest that lies in both ranges; 0 when they do not meet, and then
 * text says which end speaks which.
 */
uint32_t portal_hello_negotiate(const struct portal_hello *local, const struct portal_hello *peer,
	char *text, size_t text_size);

/* /proc/sys/kernel/random/boot_id as 16 bytes. −1 with errno. */
int portal_hello_get_boot_id(uint8_t id[16]);

#endif
