#include "keeper_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "host_door.h"
#include "process.h"
#include "status.h"

/* A guest that does not heed the power button by then is left alone. */
#define SHUTDOWN_TIME (3 * KEEPER_MINUTE)
/* Seconds for the host to pass that on. */
#define DOOR_TIMEOUT 10

static int handle_program_end(sd_event_source *source, int fd, uint32_t events, void *data) {
	struct keeper *keeper = data;
	keeper->program_source = sd_event_source_disable_unref(keeper->program_source);
	keeper_idle_consider(keeper);
	return 0;
}

/*
 * Whether a program runs that the agent has started. A bridge knows only of its own launches: what
 * was started through one that crashed runs on, and its windows are yet to come back. When there is
 * one its end is waited for.
 */
static bool agent_has_programs(struct keeper *keeper) {
	int fd = process_open_child(keeper->agent_pid);
	if (fd < 0) {
		return false;
	}
	if (keeper->program_source == NULL &&
		sd_event_add_io(keeper->loop, &keeper->program_source, fd, EPOLLIN,
			handle_program_end, keeper) >= 0) {
		sd_event_source_set_io_fd_own(keeper->program_source, true);
	} else {
		close(fd);
	}
	return true;
}

/* Nobody uses the guest: the lock is held, and the bridge says so when asked anew. */
static bool is_unused(struct keeper *keeper) {
	struct bridge_state state;
	if (bridge_get_state(keeper->paths.bridge, &state) < 0) {
		return false; /* it is ending; that is told elsewhere */
	}
	/* What ends the use is a change to this, also where what came before was never told. */
	keeper->state = state;
	return state.windows == 0 &&
	       (!keeper->local || (state.programs == 0 && !agent_has_programs(keeper)));
}

static void release_lock(struct keeper *keeper) {
	if (keeper->lock >= 0) {
		close(keeper->lock);
		keeper->lock = -1;
	}
}

static int handle_shutdown_time(sd_event_source *source, uint64_t time, void *data) {
	struct keeper *keeper = data;
	keeper->shutdown_source = sd_event_source_unref(keeper->shutdown_source);
	keeper_log(keeper, "the guest does not shut down; see portal-run --stop --force");
	release_lock(keeper);
	keeper_idle_consider(keeper);
	return 0;
}

static bool ask_libvirt(struct keeper *keeper) {
	struct error error = {0};
	int result = keeper->manager == NULL ? DOMAIN_FAILURE_CONNECT
					     : domain_manager_shutdown(keeper->manager,
						       keeper->guest.domain, &error);
	if (result == DOMAIN_FAILURE_CONNECT && keeper_connect_libvirt(keeper)) {
		/* libvirtd was started anew since. */
		result = domain_manager_shutdown(keeper->manager, keeper->guest.domain, &error);
	}
	if (result < 0) {
		keeper_log(keeper, "cannot shut the guest down: %s", error.text);
	}
	return result >= 0;
}

/* The host answers at once that the guest is still shutting down. */
static bool ask_host(struct keeper *keeper) {
	const struct host_call stop = {
		.method = PORTAL_CALL_STOP,
		.guest = keeper->guest.domain,
		.timeout = DOOR_TIMEOUT,
	};
	struct host_answer answer;
	bool asked = host_door_call(keeper->guest.uri, &stop, &answer) == RUN_OK &&
		     (answer.error == PORTAL_CALL_DONE || answer.error == PORTAL_CALL_TIMEOUT);
	if (!asked) {
		keeper_log(keeper, "the host does not shut the guest down: %s", answer.text);
	}
	free(answer.guests);
	return asked;
}

/* When that is refused the time begins anew. */
static void shut_down(struct keeper *keeper) {
	bool asked = host_door_is(keeper->guest.uri) ? ask_host(keeper) : ask_libvirt(keeper);
	if (!asked) {
		release_lock(keeper);
		keeper_idle_consider(keeper);
		return;
	}
	keeper_log(keeper, "no window for %d minutes: shutting the guest down",
		keeper->guest.idle_stop);
	sd_event_add_time_relative(keeper->loop, &keeper->shutdown_source, CLOCK_MONOTONIC,
		SHUTDOWN_TIME, 0, handle_shutdown_time, keeper);
}

static int handle_locked(sd_event_source *source, int fd, uint32_t events, void *data) {
	struct keeper *keeper = data;
	int lock;
	if (read(fd, &lock, sizeof(lock)) != sizeof(lock)) {
		return 0;
	}
	pthread_join(keeper->lock_thread, NULL);
	keeper->locking = false;
	keeper->lock = lock;
	if (keeper->ending || lock < 0) {
		return 0;
	}
	if ((keeper->changed && !keeper->local) || !is_unused(keeper)) {
		release_lock(keeper);
		if (!keeper->local) {
			keeper_idle_consider(keeper);
		}
	} else if (keeper->local) {
		keeper_end(keeper);
	} else {
		shut_down(keeper);
	}
	return 0;
}

static void *wait_for_lock(void *data) {
	struct keeper *keeper = data;
	int fd = open(keeper->paths.users, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	while (fd >= 0 && flock(fd, LOCK_EX) < 0 && errno == EINTR) {
	}
	ssize_t written = write(keeper->lock_pipe[1], &fd, sizeof(fd));
	return written == sizeof(fd) ? keeper : NULL;
}

/* Continues in handle_locked() when no portal-run is at work with this guest. */
static void try_to_end(struct keeper *keeper) {
	if (keeper->locking || keeper->lock >= 0 || keeper->ending) {
		return;
	}
	keeper->locking = pthread_create(&keeper->lock_thread, NULL, wait_for_lock, keeper) == 0;
}

static int handle_idle_time(sd_event_source *source, uint64_t time, void *data) {
	struct keeper *keeper = data;
	keeper->idle_source = sd_event_source_unref(keeper->idle_source);
	keeper->changed = false;
	try_to_end(keeper);
	return 0;
}

void keeper_idle_consider(struct keeper *keeper) {
	if (keeper->ending) {
		return;
	}
	if (keeper->local) {
		if (keeper->state.windows == 0 && keeper->state.programs == 0 &&
			!agent_has_programs(keeper)) {
			try_to_end(keeper);
		}
		return;
	}
	if (keeper->guest.idle_stop == 0 || keeper->guest.domain == NULL) {
		return;
	}
	/* Each change begins the time anew: a program that was just started has no window yet. */
	keeper->idle_source = sd_event_source_disable_unref(keeper->idle_source);
	if (keeper->state.ready && keeper->state.windows == 0) {
		sd_event_add_time_relative(keeper->loop, &keeper->idle_source, CLOCK_MONOTONIC,
			(uint64_t)keeper->guest.idle_stop * KEEPER_MINUTE, 0, handle_idle_time,
			keeper);
	}
}

bool keeper_idle_init(struct keeper *keeper) {
	return pipe2(keeper->lock_pipe, O_CLOEXEC) == 0 &&
	       sd_event_add_io(keeper->loop, &keeper->lock_source, keeper->lock_pipe[0], EPOLLIN,
		       handle_locked, keeper) >= 0;
}

void keeper_idle_finish(struct keeper *keeper) {
	sd_event_source_disable_unref(keeper->idle_source);
	sd_event_source_disable_unref(keeper->program_source);
	sd_event_source_disable_unref(keeper->shutdown_source);
	sd_event_source_disable_unref(keeper->lock_source);
}
