#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "bridge.h"
#include "broker.h"

/* Between one attempt's end and the next with --wait; doubled while the guest does not come. */
#define RESTART_NS UINT64_C(250000000)
#define RESTART_DOUBLINGS 2

/*
 * With --wait each attempt is a process of its own: what has read from the guest gives up its
 * rights for good, and is not trusted with the next attempt. The parent reads nothing of the guest
 * but this, and bytes that ask its broker.
 */
struct attempt {
	char untrusted_message[PORTAL_BYE_TEXT_MAX + 1];
};

/* As portal_printable_copy(), but reads each byte once only: who shares the memory may still be
 * writing. */
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

struct supervisor {
	const struct bridge_options *options;
	int control_fd;
	struct attempt *attempt;
	sigset_t signals; /* SIGCHLD, SIGTERM, SIGINT: blocked, and waited for */
	int signal_fd; /* the same */
	struct bridge_log log;
	bool stopping;
	int *crash;
};

/* Lines go on to a terminal, but nobody reads what is typed there. */
static void leave_terminal(void) {
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
	}
	if (null > STDERR_FILENO) {
		close(null);
	}
	if (isatty(STDERR_FILENO)) {
		int terminal = open("/proc/self/fd/2", O_WRONLY | O_NOCTTY | O_CLOEXEC);
		if (terminal >= 0) {
			dup2(terminal, STDERR_FILENO);
			close(terminal);
		}
	}
}

/* SIGTERM and SIGINT stay blocked: the loop reads them from a descriptor, also those that came
 * before. */
static enum bridge_status run_child(
	const struct bridge_begin *begin, struct attempt *attempt, pid_t parent) {
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent) {
		return BRIDGE_FAILURE;
	}
	leave_terminal();
	return bridge_run(begin, attempt->untrusted_message, sizeof(attempt->untrusted_message));
}

/* Waits for a signal that tells to stop, at most until the next attempt is due. */
static void pause_attempts(struct supervisor *supervisor, unsigned int failures) {
	uint64_t ns = RESTART_NS << (failures < RESTART_DOUBLINGS ? failures : RESTART_DOUBLINGS);
	struct timespec timeout = {
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000),
	};
	sigset_t stops = supervisor->signals;
	sigdelset(&stops, SIGCHLD); /* that of the attempt before may still be there */
	supervisor->stopping |= sigtimedwait(&stops, NULL, &timeout) >= 0;
}

static uint64_t get_time(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Waits for signals, of which those to stop are passed on, and for what the child asks. */
static void attend(struct supervisor *supervisor, struct bridge_broker *broker, pid_t child) {
	uint64_t pause = bridge_broker_get_pause(broker, get_time());
	struct pollfd fds[] = {
		{.fd = supervisor->signal_fd, .events = POLLIN},
		{.fd = pause > 0 ? -1 : broker->fd, .events = POLLIN},
	};
	struct signalfd_siginfo info;
	if (poll(fds, 2, pause > 0 ? (int)(pause / 1000000) + 1 : -1) < 0) {
		return;
	}
	if (fds[1].revents != 0 && !bridge_broker_dispatch(broker, get_time())) {
		bridge_log(&supervisor->log, LOG_ERR,
			"the confined process breaks the rules: it gets no more connections");
	}
	if (fds[0].revents != 0 &&
		read(supervisor->signal_fd, &info, sizeof(info)) == sizeof(info) &&
		info.ssi_signo != SIGCHLD) {
		supervisor->stopping = true;
		kill(child, SIGTERM);
	}
}

/* The child's status. */
static enum bridge_status wait_for(
	struct supervisor *supervisor, struct bridge_broker *broker, pid_t child) {
	int status;
	while (waitpid(child, &status, WNOHANG) == 0) {
		attend(supervisor, broker, child);
	}
	if (WIFSIGNALED(status)) {
		bridge_log(&supervisor->log, LOG_ERR, "ended by %s", strsignal(WTERMSIG(status)));
		*supervisor->crash = WTERMSIG(status);
		return BRIDGE_FAILURE;
	}
	return WEXITSTATUS(status);
}

/* Takes over the descriptors of begin, of which each of the two processes keeps its part. */
static enum bridge_status fork_attempt(
	struct supervisor *supervisor, struct bridge_broker *broker, struct bridge_begin *begin) {
	pid_t parent = getpid(), child = fork();
	if (child == 0) {
		bridge_broker_finish(broker);
		close(supervisor->signal_fd);
		bridge_compositor_keep_watch(&begin->compositor);
		exit(run_child(begin, supervisor->attempt, parent));
	}
	close(begin->broker_fd);
	bridge_compositor_keep_socket(&begin->compositor);
	if (child < 0) {
		perror("portal-bridge");
		return BRIDGE_FAILURE;
	}
	return wait_for(supervisor, broker, child);
}

static enum bridge_status run_attempt(
	struct supervisor *supervisor, const struct bridge_outcome *last) {
	struct bridge_broker broker;
	struct bridge_begin begin = {
		.options = supervisor->options,
		.control_fd = supervisor->control_fd,
		.last = *last,
	};
	supervisor->log.again = last->any;
	if (bridge_compositor_init(&begin.compositor, begin.options->vm, &supervisor->log) < 0) {
		return BRIDGE_COMPOSITOR;
	}
	enum bridge_status status = BRIDGE_FAILURE;
	if (bridge_broker_init(&broker, begin.compositor.socket_fd, &begin.broker_fd) < 0) {
		perror("portal-bridge");
	} else {
		status = fork_attempt(supervisor, &broker, &begin);
		bridge_broker_finish(&broker);
	}
	bridge_compositor_finish(&begin.compositor);
	return status;
}

/* One attempt, or with --wait as many as it takes. */
static enum bridge_status run_attempts(struct supervisor *supervisor) {
	struct bridge_outcome last = {.status = BRIDGE_DONE};
	unsigned int failures = 0;
	while (!supervisor->stopping) {
		last.status = run_attempt(supervisor, &last);
		last.any = true;
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
		.signal_fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK),
		.crash = crash,
	};
	bridge_log_init(&supervisor.log, options->label);
	supervisor.attempt = mmap(NULL, sizeof(*supervisor.attempt), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (supervisor.attempt == MAP_FAILED || supervisor.signal_fd < 0) {
		perror("portal-bridge");
		return BRIDGE_FAILURE;
	}
	enum bridge_status status = run_attempts(&supervisor);
	munmap(supervisor.attempt, sizeof(*supervisor.attempt));
	close(supervisor.signal_fd);
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

/* What was left open by whoever started this is nothing that a guest's process should have. */
static void close_others(int control_fd) {
	if (control_fd > STDERR_FILENO + 1) {
		close_range(STDERR_FILENO + 1, (unsigned)control_fd - 1, 0);
	}
	close_range((unsigned)control_fd + 1, ~0u, 0);
}

int main(int argc, char **argv) {
	struct bridge_options options;
	sigset_t signals;
	bool help, made;
	enum bridge_status status = bridge_options_parse(&options, argc, argv, &help);
	if (status != BRIDGE_DONE || help) {
		return status;
	}
	/* Whoever reads the log may go. */
	signal(SIGPIPE, SIG_IGN);
	/* From here on a signal to end finds the control socket removed again. */
	block_signals(&signals);
	int control_fd = bridge_control_listen(options.vm, &made);
	if (control_fd < 0) {
		return BRIDGE_FAILURE;
	}
	close_others(control_fd);
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
