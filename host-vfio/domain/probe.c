#include "domain/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"

extern char **environ;

/* Far more than any machine needs whose KVM works; emulation would take about as long. */
#define DEADLINE_MS 15000
/* The kernel's last word without a root file system; by then every driver has been initialised. */
#define SIGN "Unable to mount root fs"
/* QEMU's, when KVM gives up on an instruction: the machine then stands still for ever. */
#define DEATH "KVM internal error"
#define SIGN_MAX (sizeof(SIGN) > sizeof(DEATH) ? sizeof(SIGN) : sizeof(DEATH))

static long long now_ms(void) {
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* The running kernel's image, or any; owned by the caller. */
static char *host_kernel(void) {
	struct utsname name;
	uname(&name);
	char *path = must_print("/boot/vmlinuz-%s", name.release);
	if (access(path, R_OK) == 0) {
		return path;
	}
	free(path);
	path = NULL;
	glob_t found;
	if (glob("/boot/vmlinuz*", 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc && path == NULL; i++) {
			if (access(found.gl_pathv[i], R_OK) == 0) {
				path = must_copy(found.gl_pathv[i]);
			}
		}
	}
	globfree(&found);
	return path;
}

/* Starts QEMU with its messages and the guest's serial console on *output. Returns its pid, or -1
 * with errno. */
static pid_t start(const char *kernel, int *output) {
	int pipe_fds[2];
	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		return -1;
	}
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDERR_FILENO);
	char *argv[] = {"qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine",
		"q35,accel=kvm", "-cpu", "host", "-m", "256", "-no-reboot", "-display", "none",
		"-serial", "stdio", "-kernel", (char *)kernel, "-append",
		"console=ttyS0 panic=-1 root=/dev/none", NULL};
	pid_t pid;
	int result = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fds[1]);
	if (result != 0) {
		close(pipe_fds[0]);
		errno = result;
		return -1;
	}
	*output = pipe_fds[0];
	return pid;
}

/*
 * Reads the output until the sign, its end or the deadline. Returns whether the sign came; *ended:
 * the guest died.
 */
static bool wait_for_sign(int output, bool *ended) {
	char text[8192];
	size_t used = 0;
	long long deadline = now_ms() + DEADLINE_MS;
	*ended = false;
	for (;;) {
		long long left = deadline - now_ms();
		struct pollfd wait = {.fd = output, .events = POLLIN};
		if (left <= 0 || poll(&wait, 1, (int)left) == 0) {
			return false;
		}
		if (used > sizeof(text) / 2) {
			/* Keep what the sign may have begun in. */
			memmove(text, text + used - SIGN_MAX, SIGN_MAX);
			used = SIGN_MAX;
		}
		ssize_t count = read(output, text + used, sizeof(text) - 1 - used);
		if (count < 0 && errno == EINTR) {
			continue;
		}
		if (count <= 0) {
			*ended = true;
			return false;
		}
		used += (size_t)count;
		text[used] = '\0';
		if (memmem(text, used, SIGN, strlen(SIGN)) != NULL) {
			return true;
		}
		if (memmem(text, used, DEATH, strlen(DEATH)) != NULL) {
			*ended = true;
			return false;
		}
	}
}

bool domain_probe_kvm(const char *kernel, struct error *why) {
	if (access("/dev/kvm", R_OK | W_OK) < 0) {
		error_set(why, "/dev/kvm: %s", strerror(errno));
		return false;
	}
	char *own = kernel == NULL ? host_kernel() : NULL;
	if (kernel == NULL && own == NULL) {
		error_set(why,
			"there is no kernel in /boot to try KVM with; say --virt kvm if it works");
		return false;
	}
	int output;
	pid_t pid = start(kernel != NULL ? kernel : own, &output);
	if (pid < 0) {
		error_set(why, "cannot run qemu-system-x86_64: %s", strerror(errno));
		free(own);
		return false;
	}
	bool ended, works = wait_for_sign(output, &ended);
	close(output);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	free(own);
	if (!works) {
		error_set(why, ended ? "a guest under KVM dies before its kernel is up"
				     : "a guest under KVM does not come up");
	}
	return works;
}
