#ifndef PORTAL_LAUNCHER_SPAWN_H
#define PORTAL_LAUNCHER_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A program to start. Standard input is /dev/null; every descriptor not named here is closed. */
struct spawn {
	char *const *argv;
	const char *file; /* path, or a name for PATH; NULL: argv[0] */
	int output; /* standard output and error; -1: this process' own */
	bool journal; /* output is spawn_journal()'s */
	int fds[2]; /* become descriptors 3 and 4 */
	size_t fds_len;
	bool listen; /* tell of fds as systemd does (sd_listen_fds(3)) */
	bool session; /* in a session of its own, out of reach of the terminal */
	bool follow; /* end, by SIGTERM, when this process ends */
};

/* Starts it. Returns its pid, or -1 with errno, also when the program could not be executed. */
pid_t spawn_program(const struct spawn *spawn);

/* A descriptor that takes a program's output to the journal under that name, or -1 without one. */
int spawn_journal(const char *identifier);

#endif
