#ifndef PORTAL_LAUNCHER_PATHS_H
#define PORTAL_LAUNCHER_PATHS_H

#include <stdbool.h>
#include <sys/un.h>

#define PATH_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)

/*
 * The files of one guest in $XDG_RUNTIME_DIR/portal; all of them short enough for a socket address.
 *
 * `users` is held shared by each portal-run from before it looks for the bridge until it ends, and
 * exclusively by a keeper that ends things: so nothing is taken away from under anyone. `start` is
 * held by the one portal-run that starts things. `state` is held by the keeper while a bridge runs,
 * and has the reason when it does not.
 */
struct guest_paths {
	char directory[PATH_SIZE];
	char bridge[PATH_SIZE]; /* the bridge's control socket */
	char agent[PATH_SIZE]; /* local: the agent's channel */
	char users[PATH_SIZE], start[PATH_SIZE], state[PATH_SIZE];
	char log[PATH_SIZE]; /* of agent and bridge where nothing else takes it */
};

/* Also makes the directory. RUN_OK, or says why not and returns RUN_SYSTEM. */
int guest_paths_init(struct guest_paths *paths, const char *vm);

/* Makes the directories above a file of the user's that are not there. False with errno. */
bool paths_make_directories(const char *file);

/*
 * Where one of Portal's own programs is: beside this one, at its place in the same build tree, in
 * the installation's libexec directory; else its bare name, for PATH. Owned by the caller.
 */
char *paths_find_program(const char *name, const char *build_directory);

/*
 * Opens, makes if need be, and locks (flock) a file; `operation` is LOCK_SH or LOCK_EX. Waits, with
 * `why` as progress. Returns a descriptor that holds the lock, or -1 with errno.
 */
int paths_lock(const char *path, int operation, const char *why);

/*
 * A listening unix socket that this user alone can connect to, in place of a stale one; what keeps
 * two processes from doing so at once is the start lock. Returns it, or -1 with errno.
 */
int paths_listen(const char path[PATH_SIZE]);

#endif
