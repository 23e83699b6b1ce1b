#ifndef LABEL_H
#define LABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;
struct wl_client;

/* Whose window it is, as the compositor knows it: from the connection, never from what is said
 * over it. */
enum label_kind {
	LABEL_LOCAL, /* an ordinary program of this machine */
	LABEL_VM, /* a VM that the configuration names */
	LABEL_UNKNOWN_VM, /* a VM that it does not */
	LABEL_SANDBOX, /* a program of this machine in another sandbox (Flatpak …) */
};

struct label {
	enum label_kind kind;
	char *text; /* NULL for LABEL_LOCAL; printable, short */
	char *vm; /* the VM's name, NULL unless the kind says VM */
	uint32_t color; /* 0x00rrggbb */
};

/** The kind alone, without allocating: for the filter of globals. Never LABEL_UNKNOWN_VM. */
enum label_kind label_kind_of_client(struct server *server, const struct wl_client *client);

/**
 * Fills in the label of a client: the security context's engine "org.portal.vm" and its instance,
 * looked up in the configuration. The caller finishes it. When memory is out, the label is an
 * unknown VM's without text, never a local one.
 */
void label_init(struct label *label, struct server *server, const struct wl_client *client);
/** Whether two windows are one to the user: the same VM, the same sandbox, or both local. */
bool label_equal(const struct label *a, const struct label *b);
void label_finish(struct label *label);

#define LABEL_NAME_SIZE 49
/** What somebody calls himself, as it may stand in a line: short, and free of what could reorder or
 * break that, or what a terminal obeys. Plain ASCII. (The rule of protocol/printable.h, of which
 * portal links nothing.) */
void label_clean_name(char clean[LABEL_NAME_SIZE], const char *untrusted_name);

/** The beginning of what a client calls its window, up to SIZE bytes with the end: one line of
 * valid UTF-8 without control characters, nor any that reorder what stands beside it. */
void label_clean_title(char title[], size_t size, const char *untrusted_title);

#endif
