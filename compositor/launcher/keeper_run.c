#include "keeper_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge-varlink.h"
#include "config_vm.h"
#include "machine_door.h"
#include "spawn.h"
#include "status.h"

/* A bridge that crashes again and again is not started again. */
#define CRASHES_MAX 3
#define CRASHES_TIME (1 * KEEPER_MINUTE)
/* Seconds: for its answer, and at most from one question to the next. */
#define HOST_TIMEOUT 10
#define HOST_WAIT_MOST 64

void keeper_log(const struct keeper *keeper, const char *format, ...) {
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "portal-run (keeper of %s): %s\n", keeper->guest.vm, text);
}

/* Writes down why things end, for keeper_explain(). The first reason is the reason. */
static void record(struct keeper *keeper, const char *what, int number) {
	char text[64];
	int length = snprintf(text, sizeof(text), "%s %d\n", what, number);
	if (lseek(KEEPER_STATE, 0, SEEK_END) == 0 &&
		pwrite(KEEPER_STATE, text, (size_t)length, 0) != length) {
		keeper_log(keeper, "%s: %s", keeper->paths.state, strerror(errno));
	}
}

static void exit_when_alone(struct keeper *keeper) {
	if (keeper->ending && keeper->bridge_pid == 0 && keeper->agent_pid == 0) {
		sd_event_exit(keeper->loop, 0);
	}
}

void keeper_end(struct keeper *keeper) {
	if (keeper->ending) {
		return;
	}
	keeper->ending = true;
	/* Whoever comes from now on makes a new socket; see keeper_start(). */
	unlink(keeper->paths.bridge);
	if (keeper->bridge_pid != 0) {
		kill(keeper->bridge_pid, SIGTERM);
	}
	if (keeper->agent_pid != 0) {
		kill(keeper->agent_pid, SIGTERM);
	}
	exit_when_alone(keeper);
}

static int handle_stop_signal(
	sd_event_source *source, const struct signalfd_siginfo *info, void *data) {
	keeper_end(data);
	return 0;
}

static bool is_same(const struct bridge_state *a, const struct bridge_state *b) {
	return a->ready == b->ready && a->windows == b->windows && a->programs == b->programs;
}

static void watch_bridge(struct keeper *keeper);
static void lose_guest(struct keeper *keeper);

static int handle_bridge_state(sd_varlink *link, sd_json_variant *parameters, const char *error,
	sd_varlink_reply_flags_t flags, void *data) {
	struct keeper *keeper = data;
	struct bridge_state state;
	if (error == NULL && bridge_state_read(&state, parameters)) {
		keeper_heap_hear(keeper, &state);
		keeper->met |= state.ready;
		if (state.ready) {
			keeper->host_source = sd_event_source_disable_unref(keeper->host_source);
		}
		if (!keeper->heard || !is_same(&state, &keeper->state)) {
			keeper->heard = true;
			keeper->state = state;
			keeper->changed = true;
			keeper_idle_consider(keeper);
		}
	} else if (error != NULL && strcmp(error, SD_VARLINK_ERROR_DISCONNECTED) == 0 &&
		   keeper->bridge_pid != 0 && !keeper->ending) {
		/* A bridge that waits for its agent is a new process at each attempt. */
		watch_bridge(keeper);
		lose_guest(keeper);
	}
	return 0;
}

static void watch_bridge(struct keeper *keeper) {
	sd_varlink_close_unref(keeper->link);
	keeper->heard = false;
	keeper->link = bridge_connect(keeper->paths.bridge);
	if (keeper->link == NULL ||
		sd_varlink_attach_event(keeper->link, keeper->loop, SD_EVENT_PRIORITY_NORMAL) < 0 ||
		sd_varlink_bind_reply(keeper->link, handle_bridge_state) < 0) {
		keeper_log(keeper, "cannot ask the bridge for its state: %s", strerror(errno));
		return;
	}
	sd_varlink_set_userdata(keeper->link, keeper);
	sd_varlink_observe(keeper->link, BRIDGE_METHOD_GET_STATE, NULL);
}

static void start_bridge(struct keeper *keeper);

/* Only a crash: a bridge that ends by itself has its reason, which the next one would have, too. */
static bool may_start_again(struct keeper *keeper, const siginfo_t *info) {
	if (keeper->ending || info->si_code == CLD_EXITED || info->si_status == SIGTERM) {
		return false;
	}
	uint64_t now;
	sd_event_now(keeper->loop, CLOCK_MONOTONIC, &now);
	if (keeper->crashes == 0 || now - keeper->crash_time > CRASHES_TIME) {
		keeper->crash_time = now;
		keeper->crashes = 0;
	}
	return ++keeper->crashes <= CRASHES_MAX;
}

static int handle_bridge_exit(sd_event_source *source, const siginfo_t *info, void *data) {
	struct keeper *keeper = data;
	keeper->bridge_pid = 0;
	keeper->bridge_source = sd_event_source_unref(keeper->bridge_source);
	keeper_heap_finish(keeper);
	keeper->link = sd_varlink_close_unref(keeper->link);
	record(keeper, info->si_code == CLD_EXITED ? "bridge exited" : "bridge killed",
		info->si_status);
	if (may_start_again(keeper, info)) {
		keeper_log(keeper, "the bridge crashed (%s); starting it again",
			strsignal(info->si_status));
		/* Lets those read it who wait to. */
		flock(KEEPER_STATE, LOCK_UN);
		while (flock(KEEPER_STATE, LOCK_EX) < 0 && errno == EINTR) {
		}
		if (ftruncate(KEEPER_STATE, 0) == 0) {
			start_bridge(keeper);
			return 0;
		}
	}
	keeper_end(keeper);
	exit_when_alone(keeper);
	return 0;
}

static void start_bridge(struct keeper *keeper) {
	const struct keeper_guest *guest = &keeper->guest;
	char *program = paths_find_program("portal-bridge", "compositor/bridge");
	const char *argv[16] = {program, "--vm", guest->vm, "--transport", guest->transport,
		"--heap", guest->heap, "--label", guest->label, "--wait"};
	if (guest->key != NULL) {
		argv[10] = "--key";
		argv[11] = guest->key;
	}
	struct spawn spawn = {
		.argv = (char *const *)argv,
		.output = -1,
		.fds = {KEEPER_CONTROL},
		.fds_len = 1,
		.listen = true,
		.follow = true,
	};
	pid_t pid = program == NULL ? -1 : spawn_program(&spawn);
	int error = errno;
	free(program);
	if (pid < 0) {
		record(keeper, "bridge missing", error);
		keeper_end(keeper);
		return;
	}
	keeper->bridge_pid = pid;
	if (sd_event_add_child(keeper->loop, &keeper->bridge_source, pid, WEXITED,
		    handle_bridge_exit, keeper) < 0) {
		keeper_end(keeper);
		return;
	}
	watch_bridge(keeper);
}

static int handle_agent_exit(sd_event_source *source, const siginfo_t *info, void *data) {
	struct keeper *keeper = data;
	keeper->agent_pid = 0;
	keeper->agent_source = sd_event_source_unref(keeper->agent_source);
	if (!keeper->ending) {
		record(keeper, info->si_code == CLD_EXITED ? "agent exited" : "agent killed",
			info->si_status);
		keeper_end(keeper);
	}
	exit_when_alone(keeper);
	return 0;
}

/* The agent of local:. Its socket is there from before it lives, so the bridge need not wait. */
static void start_agent(struct keeper *keeper) {
	char heap[48];
	snprintf(heap, sizeof(heap), "memfd:%llu", (unsigned long long)keeper->guest.heap_size);
	int channel = paths_listen(keeper->paths.agent);
	char *program = paths_find_program("portal-agent", "guest-agent");
	const char *argv[] = {program, "--listen", keeper->guest.transport, "--heap", heap,
		"--name", keeper->guest.vm, NULL};
	int log = spawn_journal("portal-agent@" CONFIG_VM_LOCAL);
	struct spawn spawn = {
		.argv = (char *const *)argv,
		.output = log,
		.journal = log >= 0,
		.fds = {channel},
		.fds_len = 1,
		.listen = true,
		.follow = true,
	};
	pid_t pid = program == NULL || channel < 0 ? -1 : spawn_program(&spawn);
	int error = errno;
	free(program);
	if (channel >= 0) {
		close(channel);
	}
	if (log >= 0) {
		close(log);
	}
	if (pid < 0) {
		record(keeper, "agent missing", error);
		keeper_end(keeper);
		return;
	}
	keeper->agent_pid = pid;
	if (sd_event_add_child(keeper->loop, &keeper->agent_source, pid, WEXITED, handle_agent_exit,
		    keeper) < 0) {
		keeper_end(keeper);
		return;
	}
	start_bridge(keeper);
}

static void handle_domain(void *data, const char *name, enum domain_state state) {
	struct keeper *keeper = data;
	if (strcmp(name, keeper->guest.domain) == 0 &&
		(state == DOMAIN_OFF || state == DOMAIN_ABSENT)) {
		record(keeper, "domain off", 0);
		keeper_end(keeper);
	}
}

static int ask_host(sd_event_source *source, uint64_t time, void *data) {
	struct keeper *keeper = data;
	const struct host_call list = {.method = PORTAL_CALL_LIST, .timeout = HOST_TIMEOUT};
	struct host_answer answer;
	if (host_door_call(keeper->guest.uri, &list, &answer) == RUN_OK &&
		answer.error == PORTAL_CALL_DONE) {
		handle_domain(keeper, keeper->guest.domain,
			machine_door_state(&answer, keeper->guest.domain));
	}
	free(answer.guests);
	if (!keeper->ending) {
		sd_event_source_set_time_relative(source, keeper->host_wait * UINT64_C(1000000));
		sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
		keeper->host_wait *= 2;
		keeper->host_wait =
			keeper->host_wait < HOST_WAIT_MOST ? keeper->host_wait : HOST_WAIT_MOST;
	}
	return 0;
}

/* A host tells its controller of no guest's end, so it is asked when a guest's channel has gone,
 * and more and more rarely until it is there again. */
static void lose_guest(struct keeper *keeper) {
	if (keeper->met && host_door_is(keeper->guest.uri) && keeper->host_source == NULL) {
		keeper->host_wait = 1;
		sd_event_add_time_relative(keeper->loop, &keeper->host_source, CLOCK_MONOTONIC, 0,
			0, ask_host, keeper);
	}
}

/* Without libvirt the bridge works as well; only the domain's end is then not noticed. */
bool keeper_connect_libvirt(struct keeper *keeper) {
	struct error error;
	domain_manager_destroy(keeper->manager);
	keeper->manager = domain_manager_create(
		keeper->guest.uri, keeper->loop, handle_domain, keeper, &error);
	if (keeper->manager == NULL) {
		keeper_log(keeper, "%s: %s", keeper->guest.uri, error.text);
		return false;
	}
	enum domain_state state;
	if (domain_manager_get_state(keeper->manager, keeper->guest.domain, &state, &error) == 0 &&
		state == DOMAIN_OFF) {
		handle_domain(keeper, keeper->guest.domain, state);
	}
	return true;
}

static bool set_up(struct keeper *keeper) {
	sigset_t signals;
	signal(SIGPIPE, SIG_IGN); /* whoever reads the log may go */
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0 ||
		fcntl(KEEPER_CONTROL, F_SETFD, FD_CLOEXEC) < 0 ||
		fcntl(KEEPER_STATE, F_SETFD, FD_CLOEXEC) < 0) {
		return false;
	}
	return sd_event_new(&keeper->loop) >= 0 &&
	       sd_event_add_signal(keeper->loop, NULL, SIGTERM, handle_stop_signal, keeper) >= 0 &&
	       sd_event_add_signal(keeper->loop, NULL, SIGINT, handle_stop_signal, keeper) >= 0 &&
	       keeper_idle_init(keeper);
}

static void tear_down(struct keeper *keeper) {
	sd_varlink_close_unref(keeper->link);
	domain_manager_destroy(keeper->manager);
	keeper_idle_finish(keeper);
	sd_event_source_disable_unref(keeper->host_source);
	unlink(keeper->paths.agent);
	sd_event_unref(keeper->loop);
}

static const char *optional(const char *text) {
	return text[0] == '\0' ? NULL : text;
}

int keeper_main(int argc, char **argv) {
	if (argc != KEEPER_ARGUMENTS) {
		fprintf(stderr, "portal-run: --keep is portal-run's own\n");
		return RUN_USAGE;
	}
	struct keeper keeper = {
		.guest =
			{
				.vm = argv[KEEPER_VM],
				.transport = argv[KEEPER_TRANSPORT],
				.heap = argv[KEEPER_HEAP],
				.key = optional(argv[KEEPER_KEY]),
				.label = argv[KEEPER_LABEL],
				.heap_size = strtoull(argv[KEEPER_HEAP_SIZE], NULL, 10),
				.uri = optional(argv[KEEPER_URI]),
				.domain = optional(argv[KEEPER_DOMAIN]),
				.idle_stop = atoi(argv[KEEPER_IDLE_STOP]),
			},
		.lock = -1,
	};
	keeper.local = strcmp(keeper.guest.vm, CONFIG_VM_LOCAL) == 0;
	if (guest_paths_init(&keeper.paths, keeper.guest.vm) != RUN_OK || !set_up(&keeper)) {
		keeper_log(&keeper, "cannot begin: %s", strerror(errno));
		return RUN_SYSTEM;
	}
	if (keeper.guest.uri != NULL && !host_door_is(keeper.guest.uri)) {
		keeper_connect_libvirt(&keeper);
	}
	if (!keeper.ending) {
		if (keeper.local) {
			start_agent(&keeper);
		} else {
			start_bridge(&keeper);
		}
	}
	if (!keeper.ending || keeper.bridge_pid != 0 || keeper.agent_pid != 0) {
		sd_event_loop(keeper.loop);
	}
	tear_down(&keeper);
	/* What is locked stays so until the very end. */
	return RUN_OK;
}
