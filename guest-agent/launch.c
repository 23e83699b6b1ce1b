#include "launch.h"
#include "activation.h"
#include "agent.h"
#include "controller-channel.h"
#include "session.h"
#include <channel.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wlr/util/log.h>

extern char **environ;

struct program {
	struct session *session; // who started it; NULL when that is gone
	uint32_t launch; // the session's number for it
	pid_t pid; // 0 once it has ended
	int error; // why it was not started
	struct wl_event_source *source; // on its pidfd, NULL once it has ended
	int pidfd;
	int32_t status, signal; // how it ended
	bool launched_told;
	struct wl_list link; // channel_controller.programs
};

static void program_destroy(struct program *program) {
	if (program->source != NULL) {
		wl_event_source_remove(program->source);
	}
	if (program->pidfd >= 0) {
		close(program->pidfd);
	}
	wl_list_remove(&program->link);
	free(program);
}

/* Tells what can be told now, and forgets a program that all is told of. */
static void program_report(struct program *program) {
	struct session *session = program->session;
	bool ended = program->pid == 0;

	if (session != NULL && !session->closed) {
		if (!program->launched_told) {
			if (portal_channel_send_launched(session->channel, program->launch,
				    program->pid, program->error) != 0) {
				return; // launch_report() comes back
			}
			program->launched_told = true;
		}
		if (ended && program->error == 0 &&
			portal_channel_send_exited(session->channel, program->launch,
				program->status, program->signal) != 0) {
			return;
		}
	}
	if (ended) {
		program_destroy(program);
	}
}

static int handle_exit(int fd, uint32_t mask, void *data) {
	struct program *program = data;
	int status = 0;

	if (waitpid(program->pid, &status, WNOHANG) != program->pid) {
		return 0;
	}
	program->pid = 0;
	program->status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
	program->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	wl_event_source_remove(program->source);
	program->source = NULL;
	program_report(program);
	return 0;
}

/* Is `entry`, "NAME=VALUE", set by a later environment? */
static bool is_overridden(const char *entry, const char *const *envp) {
	size_t length = strcspn(entry, "=") + 1;
	if (strncmp(entry, "WAYLAND_DISPLAY=", length) == 0) {
		return true;
	}
	for (; envp != NULL && *envp != NULL; envp++) {
		if (strncmp(entry, *envp, length) == 0) {
			return true;
		}
	}
	return false;
}

/* The agent's environment, with the session's on top and the agent's display; freed by the caller.
 */
static char **make_environment(const char *const *envp, char *display) {
	size_t count = 2, used = 0;
	for (char **entry = environ; *entry != NULL; entry++) {
		count++;
	}
	for (const char *const *entry = envp; entry != NULL && *entry != NULL; entry++) {
		count++;
	}
	char **environment = calloc(count, sizeof(*environment));
	if (environment == NULL) {
		return NULL;
	}
	environment[used++] = display;
	for (char **entry = environ; *entry != NULL; entry++) {
		if (!is_overridden(*entry, envp)) {
			environment[used++] = *entry;
		}
	}
	for (const char *const *entry = envp; entry != NULL && *entry != NULL; entry++) {
		if (strncmp(*entry, "WAYLAND_DISPLAY=", strlen("WAYLAND_DISPLAY=")) != 0) {
			environment[used++] = (char *)*entry;
		}
	}
	return environment;
}

/* A session of its own, no signal blocked or ignored, nothing to read. Returns an errno. */
static int spawn(pid_t *pid, const char *const *argv, char **environment) {
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_t actions;
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(
		&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	int error =
		posix_spawnp(pid, argv[0], &actions, &attributes, (char *const *)argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return error;
}

static void expect_token(struct agent *agent, const char *const *envp) {
	static const char prefix[] = "XDG_ACTIVATION_TOKEN=";
	for (; envp != NULL && *envp != NULL; envp++) {
		if (strncmp(*envp, prefix, strlen(prefix)) == 0) {
			activation_expect(agent, *envp + strlen(prefix));
		}
	}
}

static int start(struct program *program, struct agent *agent, const char *const *argv,
	const char *const *envp) {
	char display[64];
	snprintf(display, sizeof(display), "WAYLAND_DISPLAY=%s", agent->socket.name);
	char **environment = make_environment(envp, display);
	if (environment == NULL) {
		return ENOMEM;
	}
	int error = spawn(&program->pid, argv, environment);
	free(environment);
	if (error != 0) {
		program->pid = 0;
		return error;
	}
	program->pidfd = pidfd_open(program->pid, 0);
	program->source = program->pidfd < 0 ? NULL
					     : wl_event_loop_add_fd(agent->loop, program->pidfd,
						       WL_EVENT_READABLE, handle_exit, program);
	if (program->source == NULL) {
		wlr_log_errno(WLR_ERROR, "the end of process %d will not be seen", program->pid);
	}
	expect_token(agent, envp);
	return 0;
}

void launch_start(struct session *session, uint32_t launch, const char *const *argv,
	const char *const *envp) {
	struct channel_controller *controller = session->controller;
	struct program *program = calloc(1, sizeof(*program));

	if (program == NULL) {
		portal_channel_send_launched(session->channel, launch, 0, ENOMEM);
		return;
	}
	program->session = session;
	program->launch = launch;
	program->pidfd = -1;
	wl_list_insert(controller->programs.prev, &program->link);
	program->error = start(program, controller->base.agent, argv, envp);
	if (program->error != 0) {
		wlr_log(WLR_ERROR, "cannot start %s: %s", argv[0], strerror(program->error));
	}
	program_report(program);
}

void launch_signal(struct session *session, uint32_t launch, int32_t number) {
	struct program *program;
	wl_list_for_each (program, &session->controller->programs, link) {
		if (program->session == session && program->launch == launch && program->pid > 0 &&
			number > 0 && number < NSIG) {
			kill(-program->pid, number);
			return;
		}
	}
}

void launch_report(struct session *session) {
	struct program *program, *tmp;
	wl_list_for_each_safe (program, tmp, &session->controller->programs, link) {
		if (program->session == session && (program->pid == 0 || !program->launched_told)) {
			program_report(program);
		}
	}
}

void launch_forget(struct session *session) {
	struct program *program, *tmp;
	wl_list_for_each_safe (program, tmp, &session->controller->programs, link) {
		if (program->session == session) {
			program->session = NULL;
			if (program->pid == 0) {
				program_destroy(program);
			}
		}
	}
}

void launch_finish(struct channel_controller *controller) {
	struct program *program, *tmp;
	wl_list_for_each_safe (program, tmp, &controller->programs, link) {
		program_destroy(program);
	}
}
