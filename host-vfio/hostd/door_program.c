#include "hostd/door_program.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "hostd/audit.h"

#define DOOR_USER "portal-door"

enum { CONNECTION_FD = 3 /* the first in portal-door */ };

/* The arguments of portal-door; the words are the door's or constants. */
static void fill_arguments(
	const struct door_program *program, const char *connections, const char *arguments[14]) {
	size_t count = 0;
	arguments[count++] = "portal-door";
	arguments[count++] = "--controller";
	arguments[count++] = program->controller;
	arguments[count++] = "--transport";
	arguments[count++] = program->transport;
	arguments[count++] = "--connections";
	arguments[count++] = connections;
	if (program->key) {
		arguments[count++] = "--key";
		arguments[count++] = program->key;
	}
	if (geteuid() == 0 && getpwnam(DOOR_USER)) {
		arguments[count++] = "--user";
		arguments[count++] = DOOR_USER;
	} else if (geteuid() == 0) {
		say(LOG_WARNING,
			"there is no user " DOOR_USER " (systemd-sysusers makes it): the door of "
			"controller %s stays root",
			program->controller);
	}
	arguments[count] = NULL;
}

/* 0 or an errno; `fds` become the program's descriptors from 3 on. */
static int spawn(const struct door_program *program, const int fds[DOOR_CONNECTIONS], pid_t *pid) {
	extern char **environ;
	const char *arguments[14];
	char connections[] = {'0' + DOOR_CONNECTIONS, '\0'};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	fill_arguments(program, connections, arguments);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	for (int i = 0; i < DOOR_CONNECTIONS; i++) {
		posix_spawn_file_actions_adddup2(&actions, fds[i], CONNECTION_FD + i);
	}
	int error = posix_spawn(
		pid, program->path, &actions, &attributes, (char *const *)arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	if (error) {
		*pid = 0;
	}
	return error;
}

void door_program_close(const int ends[DOOR_CONNECTIONS]) {
	for (size_t i = 0; i < DOOR_CONNECTIONS; i++) {
		if (ends[i] >= 0) {
			close(ends[i]);
		}
	}
}

/* Both ends of each connection; on failure what has been made is the caller's to close. An errno.
 */
static int make_connections(int here[DOOR_CONNECTIONS], int far[DOOR_CONNECTIONS]) {
	for (size_t i = 0; i < DOOR_CONNECTIONS; i++) {
		here[i] = far[i] = -1;
	}
	for (size_t i = 0; i < DOOR_CONNECTIONS; i++) {
		int ends[2];
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
			return errno;
		}
		here[i] = ends[0];
		/* Above the program's own, lest dup2() leave its flag or meet one of these. */
		far[i] = fcntl(ends[1], F_DUPFD_CLOEXEC, CONNECTION_FD + DOOR_CONNECTIONS);
		int error = errno;
		close(ends[1]);
		if (far[i] < 0) {
			return error;
		}
	}
	return 0;
}

int door_program_start(
	const struct door_program *program, int connections[DOOR_CONNECTIONS], pid_t *pid) {
	int far[DOOR_CONNECTIONS];
	int error = make_connections(connections, far);
	if (!error) {
		error = spawn(program, far, pid);
	}
	door_program_close(far);
	if (error) {
		door_program_close(connections);
	}
	return error;
}
