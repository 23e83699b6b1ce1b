#include "session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bridge-varlink.h"
#include "bridge.h"
#include "keeper.h"
#include "printable.h"
#include "say.h"
#include "status.h"

struct session {
	const struct session_request *request;
	sd_event *loop;
	sd_varlink *watch; /* the bridge's state, until the agent is there */
	sd_varlink *launch; /* the program */
	sd_event_source *tick;
	unsigned waited; /* seconds */
	struct bridge_state state;
	int64_t number; /* of the launch, for Signal; -1 before it started */
	int signal; /* came while the program was being started, 0: none */
};

static int finish(struct session *session, int status) {
	say_progress_done();
	return sd_event_exit(session->loop, status);
}

/* Signals that reach this program are meant for the guest's. */
static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
#define FORWARDED_LEN (sizeof(forwarded) / sizeof(forwarded[0]))

static void send_signal(struct session *session, int number) {
	sd_varlink *link = bridge_connect(session->request->paths->bridge);
	if (link == NULL) {
		return; /* the bridge's end is told by the launch */
	}
	sd_json_variant *parameters = NULL;
	if (sd_json_build(&parameters,
		    SD_JSON_BUILD_OBJECT(SD_JSON_BUILD_PAIR_INTEGER("launch", session->number),
			    SD_JSON_BUILD_PAIR_INTEGER("signal", number))) >= 0) {
		/* One way: the program's end is the answer. */
		sd_varlink_send(link, BRIDGE_METHOD_SIGNAL, parameters);
		sd_json_variant_unref(parameters);
	}
	sd_varlink_flush_close_unref(link);
}

static int handle_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data) {
	struct session *session = data;
	int number = (int)info->ssi_signo;
	if (session->number >= 0) {
		send_signal(session, number);
	} else if (session->launch != NULL) {
		session->signal = number;
	} else {
		/* There is no program yet to hand it to. */
		return finish(session, RUN_SIGNAL + number);
	}
	return 0;
}

static int64_t integer_of(sd_json_variant *object, const char *key) {
	sd_json_variant *value = sd_json_variant_by_key(object, key);
	return value == NULL ? 0 : sd_json_variant_integer(value);
}

/* errno as on Linux, x86: the guest's numbers. */
static int launch_failure(const struct session_request *request, int64_t error) {
	const char *program = request->command[0];
	if (error == ENOENT) {
		return say_failure(
			RUN_NOT_FOUND, "%s: no such program in %s", program, request->vm);
	}
	return say_failure(RUN_CANNOT_EXECUTE, "%s cannot be run in %s: %s", program, request->vm,
		strerror((int)error));
}

static bool watch(struct session *session);

/*
 * While it waits for its agent a bridge is a new process at each attempt, behind the same socket.
 * Only when nobody listens any more has it ended.
 */
static int handle_disconnect(struct session *session) {
	const struct session_request *request = session->request;
	if (session->launch == NULL && watch(session)) {
		return 0;
	}
	sd_varlink *link = bridge_connect(request->paths->bridge);
	if (link != NULL) {
		sd_varlink_close_unref(link);
		return finish(session, say_failure(RUN_LOST, "%s went away", request->vm));
	}
	int status = keeper_explain(request->paths, request->vm);
	/* Once the program was asked for, what has ended first is a matter of chance. */
	bool failed = status == RUN_BRIDGE || status == RUN_AGENT || status == RUN_DOMAIN;
	return finish(session, session->launch != NULL && failed ? RUN_LOST : status);
}

static int handle_error(struct session *session, sd_json_variant *parameters, const char *error) {
	const struct session_request *request = session->request;
	if (strcmp(error, BRIDGE_ERROR_LAUNCH_FAILED) == 0) {
		return finish(session, launch_failure(request, integer_of(parameters, "errno")));
	}
	if (strcmp(error, BRIDGE_ERROR_AGENT_LOST) == 0 ||
		strcmp(error, BRIDGE_ERROR_NOT_READY) == 0) {
		char message[256];
		bridge_copy_text(message, sizeof(message), parameters, "message");
		return finish(session, say_failure(RUN_LOST, "%s went away%s%s", request->vm,
					       message[0] == '\0' ? "" : ": ", message));
	}
	if (strcmp(error, SD_VARLINK_ERROR_DISCONNECTED) == 0) {
		return handle_disconnect(session);
	}
	char text[128];
	portal_printable_copy(text, sizeof(text), error, strlen(error));
	return finish(session, say_failure(RUN_BRIDGE, "portal-bridge refused: %s", text));
}

static int handle_launch(sd_varlink *link, sd_json_variant *parameters, const char *error,
	sd_varlink_reply_flags_t flags, void *data) {
	struct session *session = data;
	if (error != NULL) {
		return handle_error(session, parameters, error);
	}
	char event[16];
	bridge_copy_text(event, sizeof(event), parameters, "event");
	if (strcmp(event, "started") == 0) {
		session->number = integer_of(parameters, "launch");
		if (session->signal != 0) {
			send_signal(session, session->signal);
		}
		return session->request->detach ? finish(session, RUN_OK) : 0;
	}
	int64_t signal = integer_of(parameters, "signal");
	return finish(session, signal > 0 ? RUN_SIGNAL + (int)signal
					  : (int)integer_of(parameters, "status") & 0xff);
}

static int build_environment(const struct session_request *request, sd_json_variant **array) {
	char **words = calloc(request->env_len + 1, sizeof(words[0]));
	int result = words == NULL ? -ENOMEM : 0;
	for (size_t i = 0; result == 0 && i < request->env_len; i++) {
		if (asprintf(&words[i], "%s=%s", request->env[i].name, request->env[i].value) < 0) {
			words[i] = NULL;
			result = -ENOMEM;
		}
	}
	if (result == 0) {
		result = sd_json_variant_new_array_strv(array, words);
	}
	for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
		free(words[i]);
	}
	free(words);
	return result;
}

static int start_launch(struct session *session) {
	const struct session_request *request = session->request;
	sd_json_variant *environment = NULL, *parameters = NULL;
	int result = build_environment(request, &environment);
	if (result >= 0) {
		result = sd_json_build(&parameters,
			SD_JSON_BUILD_OBJECT(SD_JSON_BUILD_PAIR("argv",
						     SD_JSON_BUILD_STRV((char **)request->command)),
				SD_JSON_BUILD_PAIR(
					"environment", SD_JSON_BUILD_VARIANT(environment))));
	}
	if (result >= 0) {
		session->launch = bridge_connect(request->paths->bridge);
		result = session->launch == NULL ? -errno : 0;
	}
	if (result >= 0) {
		sd_varlink_set_userdata(session->launch, session);
		sd_varlink_bind_reply(session->launch, handle_launch);
		result = sd_varlink_attach_event(
			session->launch, session->loop, SD_EVENT_PRIORITY_NORMAL);
	}
	if (result >= 0) {
		result = sd_varlink_observe(session->launch, BRIDGE_METHOD_LAUNCH, parameters);
	}
	sd_json_variant_unref(environment);
	sd_json_variant_unref(parameters);
	if (result < 0) {
		return finish(session,
			say_failure(RUN_BRIDGE, "cannot ask portal-bridge: %s", strerror(-result)));
	}
	return 0;
}

/* The bridge's words for why there is no agent yet, as a status; RUN_OK: it just is not there. */
static int problem_status(const struct session *session) {
	static const struct {
		const char *problem;
		int status;
	} statuses[] = {
		{"key", RUN_KEY},
		{"version", RUN_VERSION},
		{"heap", RUN_HEAP},
		{"protocol", RUN_VIOLATION},
	};
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		if (strcmp(statuses[i].problem, session->state.problem) == 0) {
			return statuses[i].status;
		}
	}
	return RUN_OK;
}

static int handle_state(sd_varlink *link, sd_json_variant *parameters, const char *error,
	sd_varlink_reply_flags_t flags, void *data) {
	struct session *session = data;
	if (session->launch != NULL) {
		return 0;
	}
	if (error != NULL) {
		return handle_error(session, parameters, error);
	}
	if (!bridge_state_read(&session->state, parameters)) {
		return finish(session, say_failure(RUN_BRIDGE, "portal-bridge talks nonsense"));
	}
	int status = problem_status(session);
	if (session->state.ready) {
		session->tick = sd_event_source_disable_unref(session->tick);
		say_progress_done();
		return start_launch(session);
	}
	if (status == RUN_OK || status == RUN_HEAP) {
		return 0; /* a heap may still come; see silent() */
	}
	return finish(session,
		say_failure(status, "%s: %s", session->request->vm, session->state.message));
}

/* Hears of each change of the bridge's state from now on. False when there is no bridge. */
static bool watch(struct session *session) {
	sd_varlink_close_unref(session->watch);
	session->watch = bridge_connect(session->request->paths->bridge);
	if (session->watch == NULL) {
		return false;
	}
	sd_varlink_set_userdata(session->watch, session);
	return sd_varlink_bind_reply(session->watch, handle_state) >= 0 &&
	       sd_varlink_attach_event(session->watch, session->loop, SD_EVENT_PRIORITY_NORMAL) >=
		       0 &&
	       sd_varlink_observe(session->watch, BRIDGE_METHOD_GET_STATE, NULL) >= 0;
}

static int silent(struct session *session) {
	const struct session_request *request = session->request;
	const char *message = session->state.message;
	int status = problem_status(session);
	if (status != RUN_OK) {
		return finish(session, say_failure(status, "%s: %s", request->vm, message));
	}
	return finish(session,
		say_failure(RUN_AGENT_SILENT,
			"no agent has answered in %s for %u seconds%s%s%s; is portal-agent running "
			"there? --timeout waits longer",
			request->vm, request->timeout, message[0] == '\0' ? "" : " (", message,
			message[0] == '\0' ? "" : ")"));
}

static int handle_tick(sd_event_source *source, uint64_t time, void *data) {
	struct session *session = data;
	if (++session->waited >= session->request->timeout) {
		return silent(session);
	}
	say_progress("waiting for the agent in %s… %u s", session->request->vm, session->waited);
	sd_event_source_set_time_relative(source, 1000000);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void handle_machine(void *data) {
	struct session *session = data;
	if (session->request->machine->state == DOMAIN_OFF && session->launch == NULL) {
		finish(session,
			say_failure(RUN_DOMAIN,
				"%s stopped while its agent was awaited; see its console, or "
				"libvirt's log of the domain",
				session->request->vm));
	}
}

static bool set_up(struct session *session) {
	const struct session_request *request = session->request;
	sigset_t signals;
	sigemptyset(&signals);
	for (size_t i = 0; i < FORWARDED_LEN; i++) {
		sigaddset(&signals, forwarded[i]);
	}
	sigprocmask(SIG_BLOCK, &signals, NULL);
	for (size_t i = 0; i < FORWARDED_LEN; i++) {
		if (sd_event_add_signal(session->loop, NULL, forwarded[i], handle_signal, session) <
			0) {
			return false;
		}
	}
	if (request->machine != NULL) {
		request->machine->changed = handle_machine;
		request->machine->data = session;
	}
	return watch(session) && sd_event_add_time_relative(session->loop, &session->tick,
					 CLOCK_MONOTONIC, 1000000, 0, handle_tick, session) >= 0;
}

int session_run(sd_event *loop, const struct session_request *request) {
	struct session session = {.request = request, .loop = loop, .number = -1};
	int status;
	if (set_up(&session)) {
		status = sd_event_loop(loop);
		if (status < 0) {
			status = say_failure(RUN_SYSTEM, "%s", strerror(-status));
		}
	} else {
		/* It was there a moment ago. */
		status = keeper_explain(request->paths, request->vm);
	}
	if (request->machine != NULL) {
		request->machine->changed = NULL;
	}
	sd_event_source_disable_unref(session.tick);
	sd_varlink_close_unref(session.watch);
	sd_varlink_close_unref(session.launch);
	return status;
}
