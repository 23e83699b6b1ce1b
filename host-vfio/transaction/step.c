#include "transaction/step.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"

#define DEVICES "/sys/bus/pci/devices"
#define DRIVERS "/sys/bus/pci/drivers"

int step_read_state(struct tree *tree, const char *address, struct driver_state *state) {
	*state = (struct driver_state){0};
	char *override = tree_text(tree, DEVICES "/%s/driver_override", address);
	if (!override) {
		return -1;
	}
	if (override[0] != '\0' && strcmp(override, "(null)") != 0) {
		state->override = must_copy(override);
	}
	free(override);
	char *link = tree_link(tree, DEVICES "/%s/driver", address);
	if (link) {
		state->driver = must_copy(path_name(link));
	} else if (errno != ENOENT) {
		driver_state_finish(state);
		return -1;
	}
	free(link);
	return 0;
}

static int verify(const struct step_host *host, const struct step *step) {
	struct driver_state state;
	if (step_read_state(host->tree, step->device, &state) < 0) {
		return errno;
	}
	const char *found = step->kind == STEP_OVERRIDE ? state.override : state.driver;
	const char *wanted = step->kind == STEP_UNBIND ? NULL : step->driver;
	bool good = found == wanted || (found && wanted && strcmp(found, wanted) == 0);
	driver_state_finish(&state);
	return good ? 0 : EPROTO;
}

int step_perform(const struct step_host *host, const struct step *step) {
	int status = 0;
	switch (step->kind) {
	case STEP_LOAD:
		return host->load_driver(step->driver, host->user);
	case STEP_OVERRIDE:
		/* A newline alone takes the override away. */
		status = tree_write(host->tree, step->driver ? step->driver : "\n",
			DEVICES "/%s/driver_override", step->device);
		break;
	case STEP_UNBIND:
		status = tree_write(host->tree, step->device, DRIVERS "/%s/unbind", step->driver);
		break;
	case STEP_BIND:
		status = tree_write(host->tree, step->device, DRIVERS "/%s/bind", step->driver);
		break;
	}
	return status < 0 ? errno : verify(host, step);
}

int step_modprobe(const char *driver, void *user) {
	char *const argv[] = {(char *)"modprobe", (char *)"--", (char *)(uintptr_t)driver, NULL};
	char *const environment[] = {(char *)"PATH=/usr/sbin:/sbin:/usr/bin:/bin", NULL};
	pid_t pid;
	int error = posix_spawn(&pid, "/sbin/modprobe", NULL, NULL, argv, environment);
	if (error) {
		return error;
	}
	int status;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return errno;
		}
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ENODEV;
}
