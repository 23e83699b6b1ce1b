#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "bridge-status.h"
#include "keeper_run.h"
#include "say.h"
#include "spawn.h"
#include "status.h"

/* Where the logs go: the journal; else standard error, which a detached caller must not hold on to.
 */
static int open_log(const struct guest_paths *paths, const char *vm, bool detached, bool *journal) {
	char identifier[128];
	snprintf(identifier, sizeof(identifier), "portal-bridge@%s", vm);
	int fd = spawn_journal(identifier);
	*journal = fd >= 0;
	if (fd < 0 && detached) {
		fd = open(paths->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	}
	return fd >= 0 ? fd : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
}

/* Locked from before the keeper lives: a lock belongs to what was opened, and is inherited. */
static int open_state(const char *path) {
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && (flock(fd, LOCK_EX) < 0 || ftruncate(fd, 0) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

int keeper_start(const struct guest_paths *paths, const struct keeper_guest *guest, bool detached) {
	char heap_size[32], idle_stop[16];
	snprintf(heap_size, sizeof(heap_size), "%llu", (unsigned long long)guest->heap_size);
	snprintf(idle_stop, sizeof(idle_stop), "%d", guest->idle_stop);
	/* In the order of enum keeper_argument. */
	const char *argv[] = {"portal-run", "--keep", guest->vm, guest->transport, guest->heap,
		guest->key != NULL ? guest->key : "", guest->label, heap_size,
		guest->uri != NULL ? guest->uri : "", guest->domain != NULL ? guest->domain : "",
		idle_stop, NULL};

	int state = open_state(paths->state);
	int control = state < 0 ? -1 : paths_listen(paths->bridge);
	if (control < 0) {
		int error = errno;
		if (state >= 0) {
			close(state);
		}
		return say_failure(RUN_SYSTEM, "%s: %s", state < 0 ? paths->state : paths->bridge,
			strerror(error));
	}
	bool journal;
	int log = open_log(paths, guest->vm, detached, &journal);
	struct spawn spawn = {
		.argv = (char *const *)argv,
		.file = "/proc/self/exe",
		.output = log,
		.journal = journal,
		.fds = {control, state},
		.fds_len = 2,
		.session = true,
	};
	pid_t pid = spawn_program(&spawn);
	int error = errno;
	close(control);
	close(state);
	if (log >= 0) {
		close(log);
	}
	if (pid < 0) {
		unlink(paths->bridge);
		return say_failure(
			RUN_SYSTEM, "cannot start the bridge's keeper: %s", strerror(error));
	}
	return RUN_OK;
}

static int explain_bridge(const char *vm, int status) {
	switch (status) {
	case BRIDGE_DONE:
		return say_failure(RUN_BRIDGE, "the bridge of %s was told to end", vm);
	case BRIDGE_COMPOSITOR:
		return say_failure(RUN_NO_COMPOSITOR,
			"no compositor to show windows on: is WAYLAND_DISPLAY right?");
	case BRIDGE_UNREACHABLE:
		return say_failure(RUN_AGENT_SILENT, "no agent answers in %s", vm);
	case BRIDGE_LOST:
		return say_failure(RUN_LOST, "the guest %s went away", vm);
	case BRIDGE_VIOLATION:
		return say_failure(RUN_VIOLATION,
			"the guest %s broke a rule and was cut off; the log says which", vm);
	case BRIDGE_KEY:
		return say_failure(RUN_KEY,
			"%s and its bridge do not have the same key; see \"key\" in portal(5)", vm);
	case BRIDGE_VERSION:
		return say_failure(RUN_VERSION,
			"the agent in %s and this bridge speak no version in common; update one",
			vm);
	case BRIDGE_HEAP:
		return say_failure(RUN_HEAP,
			"the heap of %s is absent, or another than its agent uses; see \"heap\" in "
			"portal(5)",
			vm);
	default:
		return say_failure(RUN_BRIDGE,
			"portal-bridge failed for %s (status %d); see the log", vm, status);
	}
}

int keeper_explain(const struct guest_paths *paths, const char *vm) {
	char text[128] = "";
	int fd = paths_lock(paths->state, LOCK_SH, "waiting for the bridge's last word");
	if (fd >= 0) {
		ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
		text[size > 0 ? size : 0] = '\0';
		close(fd);
	}
	int number;
	if (sscanf(text, "bridge exited %d", &number) == 1) {
		return explain_bridge(vm, number);
	}
	if (sscanf(text, "bridge killed %d", &number) == 1) {
		return say_failure(RUN_BRIDGE, "portal-bridge of %s was ended by signal %d (%s)",
			vm, number, strsignal(number));
	}
	if (sscanf(text, "bridge missing %d", &number) == 1) {
		return say_failure(RUN_BRIDGE, "cannot run portal-bridge: %s", strerror(number));
	}
	if (sscanf(text, "agent missing %d", &number) == 1) {
		return say_failure(RUN_AGENT, "cannot run portal-agent: %s", strerror(number));
	}
	if (sscanf(text, "agent exited %d", &number) == 1) {
		return say_failure(
			RUN_AGENT, "portal-agent failed (status %d); see the log", number);
	}
	if (sscanf(text, "agent killed %d", &number) == 1) {
		return say_failure(RUN_AGENT, "portal-agent was ended by signal %d (%s)", number,
			strsignal(number));
	}
	if (strncmp(text, "domain off", 10) == 0) {
		return say_failure(RUN_DOMAIN, "the virtual machine %s stopped", vm);
	}
	return say_failure(RUN_BRIDGE, "the bridge of %s went away without a word", vm);
}
