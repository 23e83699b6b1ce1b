#ifndef BRIDGE_CONTEXT_DIR_H
#define BRIDGE_CONTEXT_DIR_H

/*
 * The directory in which a security context's socket is made,
 * $XDG_RUNTIME_DIR/portal/bridge-VM.context: for this user only, and locked by the bridge that uses
 * it. One that is killed leaves it to the next bridge of the same VM.
 */
struct bridge_context_dir {
	int fd; /* its descriptor, which holds the lock */
	char path[256];
};

/*
 * Makes it, or takes it over, empty; waits while another bridge of this VM uses it. Returns 0, or
 * -1 with errno: ENOENT when there is no runtime directory, ENAMETOOLONG, or a system call's.
 */
int bridge_context_dir_open(struct bridge_context_dir *dir, const char *vm);

/* A listening socket in it, or -1 with errno. */
int bridge_context_dir_listen(const struct bridge_context_dir *dir);

/* That socket's file, O_PATH: works when its name is gone. -1 with errno. */
int bridge_context_dir_open_socket(const struct bridge_context_dir *dir);

/* Removes it with what is in it, and lets go of the lock. */
void bridge_context_dir_close(struct bridge_context_dir *dir);

#endif
