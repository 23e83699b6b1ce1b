#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "bridge.h"

/* Between one attempt's end and the next with --wait. */
#define RESTART_NS 250000000

/*
 * With --wait each attempt is a process of its own: what has read from the guest gives up its
 * rights for good, and is not trusted with the next attempt. The parent reads nothing of the guest
 * but this.
 */
struct attempt {
	char untrusted_message[PORTAL_BYE_TEXT_MAX + 1];
};

static volatile sig_atomic_t stop_signal;

static void handle_signal(int signal) {
	stop_signal = signal;
}

static void watch_signals(void) {
	/* Without SA_RESTART: waiting ends. */
	struct sigaction action = {.sa_handler = handle_signal};
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

/* Whether another attempt may go better. */
static bool is_passing(enum bridge_status status) {
	return status == BRIDGE_UNREACHABLE || status == BRIDGE_LOST || status == BRIDGE_HEAP;
}

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

static enum bridge_status run_child(const struct bridge_options *options, int control_fd,
	enum bridge_status last_status, const char *last_message, struct attempt *attempt) {
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) {
		return BRIDGE_FAILURE;
	}
	return bridge_run(options, control_fd, last_status, last_message,
		attempt->untrusted_message, sizeof(attempt->untrusted_message));
}

/* The child's status; SIGTERM and SIGINT are passed on to it as SIGTERM. */
static enum bridge_status wait_for(pid_t child, const char *label) {
	int status;
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR) {
			return BRIDGE_FAILURE;
		}
		kill(child, SIGTERM);
	}
	if (WIFSIGNALED(status)) {
		struct bridge_log log;
		bridge_log_init(&log, label);
		bridge_log(&log, LOG_ERR, "ended by %s", strsignal(WTERMSIG(status)));
		return BRIDGE_FAILURE;
	}
	return WEXITSTATUS(status);
}

/* One attempt, or with --wait as many as it takes. */
static enum bridge_status run_attempts(
	const struct bridge_options *options, int control_fd, struct attempt *attempt) {
	char message[PORTAL_BYE_TEXT_MAX + 1] = "";
	enum bridge_status status = BRIDGE_DONE;
	watch_signals();
	while (stop_signal == 0) {
		pid_t child = fork();
		if (child < 0) {
			perror("portal-bridge");
			return BRIDGE_FAILURE;
		}
		if (child == 0) {
			exit(run_child(options, control_fd, status, message, attempt));
		}
		status = wait_for(child, options->label);
		if (!options->wait || !is_passing(status)) {
			return status;
		}
		copy_message(message, sizeof(message), attempt);
		nanosleep(&(struct timespec){.tv_nsec = RESTART_NS}, NULL);
	}
	return BRIDGE_DONE;
}

int main(int argc, char **argv) {
	struct bridge_options options;
	bool help, made;
	enum bridge_status status = bridge_options_parse(&options, argc, argv, &help);
	if (status != BRIDGE_DONE || help) {
		return status;
	}
	int control_fd = bridge_control_listen(options.vm, &made);
	if (control_fd < 0) {
		return BRIDGE_FAILURE;
	}
	struct attempt *attempt = mmap(
		NULL, sizeof(*attempt), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (attempt == MAP_FAILED) {
		perror("portal-bridge");
		status = BRIDGE_FAILURE;
	} else {
		status = run_attempts(&options, control_fd, attempt);
		munmap(attempt, sizeof(*attempt));
	}
	if (made) {
		bridge_control_unlink(options.vm);
	}
	return status;
}
