#include "launch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "bridge.h"
#include "keeper.h"
#include "machine.h"
#include "paths.h"
#include "say.h"
#include "session.h"
#include "status.h"
#include "utf8.h"

/* What a job needs; everything of it is released at the end of the process' one job. */
struct job {
	const struct run_options *options;
	const struct settings *settings;
	const struct config_vm *vm;
	struct config_vm local; /* vm points here when local: has no block */
	struct guest_paths paths;
	sd_event *loop;
	struct machine machine;
	bool has_machine;
	int users; /* lock, -1: not held */
};

static int find_vm(struct job *job) {
	const char *name = job->options->vm;
	if (!job->options->local) {
		job->vm = settings_need_vm(job->settings, name);
		return job->vm != NULL ? RUN_OK : RUN_NO_VM;
	}
	job->vm = config_vms_find(&job->settings->vms, name);
	if (job->vm == NULL) {
		if (!config_vm_init(&job->local, name)) {
			return say_failure(RUN_SYSTEM, "%s", strerror(ENOMEM));
		}
		job->vm = &job->local;
	}
	return RUN_OK;
}

static int job_init(
	struct job *job, const struct run_options *options, const struct settings *settings) {
	*job = (struct job){.options = options, .settings = settings, .users = -1};
	int status = find_vm(job);
	if (status == RUN_OK) {
		status = guest_paths_init(&job->paths, job->vm->name);
	}
	if (status == RUN_OK && sd_event_new(&job->loop) < 0) {
		status = say_failure(RUN_SYSTEM, "%s", strerror(ENOMEM));
	}
	return status;
}

static void job_finish(struct job *job) {
	if (job->has_machine) {
		machine_finish(&job->machine);
	}
	if (job->users >= 0) {
		close(job->users);
	}
	sd_event_unref(job->loop);
	if (job->vm == &job->local) {
		config_vm_finish(&job->local);
	}
}

static int need_machine(struct job *job) {
	if (job->options->local || job->has_machine) {
		return RUN_OK;
	}
	job->has_machine = true;
	return machine_init(&job->machine, job->vm, job->loop);
}

static const char *label_of(const struct config_vm *vm) {
	return vm->label != NULL ? vm->label : vm->name;
}

static int start_keeper(struct job *job) {
	const struct config_vm *vm = job->vm;
	struct keeper_guest guest = {
		.vm = vm->name,
		.label = label_of(vm),
		.heap_size = vm->heap_size,
	};
	char transport[PATH_SIZE + 8];
	if (job->options->local) {
		snprintf(transport, sizeof(transport), "unix:%s", job->paths.agent);
		guest.transport = transport;
		guest.heap = "memfd:";
	} else {
		guest.transport = job->machine.transport;
		guest.heap = job->machine.heap;
		guest.key = job->machine.key;
		guest.uri = vm->uri;
		guest.domain = vm->uri != NULL ? vm->domain : NULL;
		guest.idle_stop = vm->idle_stop;
	}
	return keeper_start(&job->paths, &guest, job->options->detach);
}

static bool bridge_is_there(const struct job *job) {
	sd_varlink *link = bridge_connect(job->paths.bridge);
	bool there = link != NULL;
	sd_varlink_close_unref(link);
	return there;
}

/* Under the start lock: everything that is not there yet. */
static int start_missing(struct job *job) {
	int status = need_machine(job);
	if (status == RUN_OK && !job->options->local) {
		status = machine_start(&job->machine, job->settings);
	}
	if (status == RUN_OK && !bridge_is_there(job)) {
		status = start_keeper(job);
	}
	return status;
}

/* A bridge that has its agent needs nothing else: neither libvirt nor a lock is asked. */
static bool is_ready(const struct job *job) {
	struct bridge_state state;
	return bridge_get_state(job->paths.bridge, &state) == 0 && state.ready;
}

static int lock_failure(const char *path) {
	return say_failure(RUN_SYSTEM, "%s: %s", path, strerror(errno));
}

static int need_bridge(struct job *job) {
	char why[128];
	snprintf(why, sizeof(why), "waiting for %s to end…", job->vm->name);
	job->users = paths_lock(job->paths.users, LOCK_SH, why);
	if (job->users < 0) {
		return lock_failure(job->paths.users);
	}
	if (is_ready(job)) {
		return RUN_OK;
	}
	snprintf(why, sizeof(why), "waiting for another portal-run to start %s…", job->vm->name);
	int start = paths_lock(job->paths.start, LOCK_EX, why);
	if (start < 0) {
		return lock_failure(job->paths.start);
	}
	int status = start_missing(job);
	say_progress_done();
	close(start);
	return status;
}

static int need_command(const struct job *job, char *const **command) {
	*command = job->options->command != NULL ? job->options->command : job->vm->command;
	for (int i = 0; *command != NULL && (*command)[i] != NULL; i++) {
		/* The bridge is asked in JSON, which has no other text. */
		if (!utf8_is_whole((*command)[i])) {
			return say_failure(RUN_USAGE,
				"word %d of the command is not UTF-8, and no other text can be "
				"handed to a guest",
				i + 1);
		}
	}
	if (*command != NULL) {
		return RUN_OK;
	}
	return say_failure(RUN_USAGE,
		"what to run? %s has no \"command\" in portal.scfg: write it after --",
		job->options->local ? "vm local" : job->vm->name);
}

static int run(struct job *job) {
	char *const *command;
	int status = need_command(job, &command);
	if (status == RUN_OK && getenv("WAYLAND_DISPLAY") == NULL && !is_ready(job)) {
		status = say_failure(RUN_NO_COMPOSITOR,
			"WAYLAND_DISPLAY is not set: there is no compositor to show windows on");
	}
	if (status == RUN_OK) {
		status = need_bridge(job);
	}
	if (status != RUN_OK) {
		return status;
	}
	char target[72];
	snprintf(target, sizeof(target), job->options->local ? CONFIG_VM_LOCAL : "vm:%s",
		job->vm->name);
	struct session_request request = {
		.vm = target,
		.name = job->vm->name,
		.paths = &job->paths,
		.command = command,
		.env = job->vm->env,
		.env_len = job->vm->env_len,
		.detach = job->options->detach,
		.timeout = job->options->timeout,
		.machine = job->has_machine && job->machine.manager != NULL ? &job->machine : NULL,
	};
	return session_run(job->loop, &request);
}

int launch_run(const struct run_options *options, const struct settings *settings) {
	struct job job;
	int status = job_init(&job, options, settings);
	if (status == RUN_OK) {
		status = run(&job);
	}
	job_finish(&job);
	return status;
}

int launch_stop(const struct run_options *options, const struct settings *settings) {
	struct job job;
	int status = job_init(&job, options, settings);
	if (status == RUN_OK) {
		status = need_machine(&job);
	}
	if (status == RUN_OK) {
		status = machine_stop(&job.machine, job.loop, options->timeout, options->force);
	}
	/* Of libvirt's guests the keeper hears it as well, and ends the bridge. */
	if (status == RUN_OK && job.machine.door) {
		bridge_quit(job.paths.bridge);
	}
	job_finish(&job);
	return status;
}
