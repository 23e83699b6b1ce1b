#ifndef HOST_HOSTD_SLUICE_H
#define HOST_HOSTD_SLUICE_H

#include <stddef.h>
#include <systemd/sd-event.h>

/*
 * Between a varlink connection of this process and whoever is at its other end, who is not trusted:
 * bytes go both ways, as long as no message from outside is longer than one can be. sd-varlink by
 * itself reads 16 MiB before it looks, and what JSON makes of that can be fifty times as much.
 */

struct sluice;

struct sluice_options {
	int outside,
		inside; /* connected stream sockets, the sluice's from now on, also on failure */
	size_t most; /* bytes of a message from outside, without the NUL at its end */
	int64_t priority; /* of the loop's */
	/* Called when one was longer; both ends have been shut down then. */
	void (*exceeded)(void *data);
	void *data;
};

/* NULL with errno. */
struct sluice *sluice_create(sd_event *loop, const struct sluice_options *options);
/* Closes both ends. NULL is fine. */
void sluice_destroy(struct sluice *sluice);

#endif
