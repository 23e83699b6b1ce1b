#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "bridge.h"

/* Between one attempt's end and the next with --wait; doubled while the guest does not come. */
#define RESTART_NS UINT64_C(250000000)
#define RESTART_DOUBLINGS 2

/*
 * With --wait each attempt is a process of its own: what has read from the guest gives up its
 * rights for good, and is not trusted with the next attempt. The parent reads nothing of the guest
 * but this.
 */
struct attempt {
	char untrusted_message[PORTAL_BYE_TEXT_MAX + 1];
};

static void copy_message(char *message, size_t size, const struct attempt *attempt) {
	size_t i = 0;
	for (; i + 1 < size; i++) {
		char c = ((const volatile char *)attempt->untrusted_message)[i];
		if (c == '\0') {
			break;
		}
		message[i] = c >= ' ' && c <= '~' ? c : '?';
	}
	message[i] = '\0';
}

/* SIGTERM and SIGINT stay blocked: the loop reads them from a descriptor, also those that came
 * before. */
static enum bridge_status run_child(const struct bridge_options *options, int control_fd,
	const struct bridge_outcome *last, struct attempt *attempt, pid_t parent) {
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent) {
		return BRIDGE_FAILURE;
	}
	return bridge_run(options, control_fd, last, attempt->untrusted_message,
		sizeof(attempt->untrusted_message));
}

struct supervisor {
	const struct bridge_options *options;
	int control_fd;
	struct attempt *attempt;
	sigset_t signals; /* SIGCHLD, SIGTERM, SIGINT: blocked, and waited for */
	bool stopping;
	int *crash;
};

/* Waits for a signal that tells to stop, at most until the next attempt is due. */
static void pause_attempts(struct supervisor *supervisor, unsigned int failures) {
	uint64_t ns = RESTART_NS << (failures < RESTART_DOUBLINGS ? failures : RESTART_DOUBLINGS);
	struct timespec timeout = {
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000),
	};
	int number = sigtimedwait(&supervisor->signals, NULL, &timeout);
	supervisor->stopping |= number == SIGTERM || number == SIGINT;
}

/* The child's status; signals to stop are passed on to it. */
static enum bridge_status wait_for(struct supervisor *supervisor, pid_t child) {
	int status;
	while (waitpid(child, &status, WNOHANG) == 0) {
		int number = sigwaitinfo(&supervisor->signals, NULL);
		if (number == SIGTERM || number == SIGINT) {
			supervisor->stopping = true;
			kill(child, SIGTERM);
		}
	}
	if (WIFSIGNALED(status)) {
		struct bridge_log log;
		bridge_log_init(&log, supervisor->options->label);
		bridge_log(&log, LOG_ERR, "ended by %s", strsignal(WTERMSIG(status)));
		*supervisor->crash = WTERMSIG(status);
		return BRIDGE_FAILURE;
	}
	return WEXITSTATUS(status);
}

/* One attempt, or with --wait as many as it takes. */
static enum bridge_status run_attempts(struct supervisor *supervisor) {
	struct bridge_outcome last = {.status = BRIDGE_DONE};
	unsigned int failures = 0;
	pid_t parent = getpid();
	while (!supervisor->stopping) {
		pid_t child = fork();
		if (child < 0) {
			perror("portal-bridge");
			return BRIDGE_FAILURE;
		}
		if (child == 0) {
			exit(run_child(supervisor->options, supervisor->control_fd, &last,
				supervisor->attempt, parent));
		}
		last.any = true;
		last.status = wait_for(supervisor, child);
		if (!supervisor->options->wait || !bridge_is_passing(last.status)) {
			return last.status;
		}
		copy_message(last.message, sizeof(last.message), supervisor->attempt);
		/* One that was there comes back at once, often as not. */
		failures = last.status == BRIDGE_LOST ? 0 : failures + 1;
		pause_attempts(supervisor, failures);
	}
	return BRIDGE_DONE;
}

/* crash receives the signal that ended the last attempt's process, if one did. */
static enum bridge_status supervise(
	const struct bridge_options *options, int control_fd, const sigset_t *signals, int *crash) {
	struct supervisor supervisor = {
		.options = options,
		.control_fd = control_fd,
		.signals = *signals,
		.crash = crash,
	};
	supervisor.attempt = mmap(NULL, sizeof(*supervisor.attempt), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (supervisor.attempt == MAP_FAILED) {
		perror("portal-bridge");
		return BRIDGE_FAILURE;
	}
	enum bridge_status status = run_attempts(&supervisor);
	munmap(supervisor.attempt, sizeof(*supervisor.attempt));
	return status;
}

static void block_signals(sigset_t *signals) {
	sigemptyset(signals);
	sigaddset(signals, SIGCHLD);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGINT);
	sigprocmask(SIG_BLOCK, signals, NULL);
}

/* Ends as the confined process did: whoever started the bridge tells a crash by the signal. */
static void end_by(int number) {
	struct rlimit none = {0};
	sigset_t set;
	setrlimit(RLIMIT_CORE, &none); /* there is nothing of interest in this one */
	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(number);
}

int main(int argc, char **argv) {
	struct bridge_options options;
	sigset_t signals;
	bool help, made;
	enum bridge_status status = bridge_options_parse(&options, argc, argv, &help);
	if (status != BRIDGE_DONE || help) {
		return status;
	}
	/* From here on a signal to end finds the control socket removed again. */
	block_signals(&signals);
	int control_fd = bridge_control_listen(options.vm, &made);
	if (control_fd < 0) {
		return BRIDGE_FAILURE;
	}
	int crash = 0;
	status = supervise(&options, control_fd, &signals, &crash);
	if (made) {
		bridge_control_unlink(options.vm);
	}
	if (crash != 0) {
		end_by(crash);
	}
	return status;
}
