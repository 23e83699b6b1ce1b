#include "transaction/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILL_GRACE_MS = 2000 };

int worker_deadline(unsigned deadline_ms) {
	/* Of nothing at all the clock would be off. */
	const struct itimerspec time = {
		.it_value = {.tv_sec = deadline_ms / 1000,
			.tv_nsec = deadline_ms % 1000 * 1000000L + 1},
	};
	int clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (clock >= 0 && timerfd_settime(clock, 0, &time, NULL) < 0) {
		int saved = errno;
		close(clock);
		errno = saved;
		return -1;
	}
	return clock;
}

/* Does the process end before the deadline is readable? */
static bool wait_for(int pidfd, int deadline) {
	struct pollfd poll_fds[] = {
		{.fd = pidfd, .events = POLLIN}, {.fd = deadline, .events = POLLIN}};
	for (;;) {
		int count = poll(poll_fds, 2, -1);
		if (count > 0) {
			return poll_fds[0].revents != 0;
		}
		if (count < 0 && errno != EINTR) {
			return false;
		}
	}
}

/* How long the kernel gets to end a process that it is able to end. */
static bool wait_for_kill(int pidfd) {
	int deadline = worker_deadline(KILL_GRACE_MS);
	if (deadline < 0) {
		return false;
	}
	bool ended = wait_for(pidfd, deadline);
	close(deadline);
	return ended;
}

static struct worker_result reap(pid_t pid) {
	int status;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return (struct worker_result){WORKER_FAILED, errno};
		}
	}
	if (!WIFEXITED(status)) {
		return (struct worker_result){WORKER_FAILED, EINTR};
	}
	int error = WEXITSTATUS(status);
	return (struct worker_result){error ? WORKER_FAILED : WORKER_DONE, error};
}

static struct worker_result supervise(pid_t pid, int pidfd, int deadline) {
	if (wait_for(pidfd, deadline)) {
		return reap(pid);
	}
	pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	if (!wait_for_kill(pidfd)) {
		return (struct worker_result){WORKER_STUCK, ETIMEDOUT};
	}
	/* It may have finished in the last moment: then that counts. */
	struct worker_result result = reap(pid);
	if (result.state == WORKER_FAILED && result.error == EINTR) {
		return (struct worker_result){WORKER_TIMED_OUT, ETIMEDOUT};
	}
	return result;
}

struct worker_result worker_run_until(int (*work)(void *data), void *data, int deadline) {
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid < 0) {
		return (struct worker_result){WORKER_FAILED, errno};
	}
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent) {
			_exit(EINTR); /* it was gone before it could be asked for */
		}
		_exit(work(data));
	}
	int pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		/* Without a way to wait with a deadline nothing may run. */
		int saved = errno;
		kill(pid, SIGKILL);
		reap(pid);
		return (struct worker_result){WORKER_FAILED, saved};
	}
	struct worker_result result = supervise(pid, pidfd, deadline);
	close(pidfd);
	return result;
}

struct worker_result worker_run(int (*work)(void *data), void *data, unsigned deadline_ms) {
	int deadline = worker_deadline(deadline_ms);
	if (deadline < 0) {
		return (struct worker_result){WORKER_FAILED, errno};
	}
	struct worker_result result = worker_run_until(work, data, deadline);
	close(deadline);
	return result;
}
