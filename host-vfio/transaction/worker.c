#include "transaction/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long the kernel gets to end a process that it is able to end. */
enum { KILL_GRACE_MS = 2000 };

static long long now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Has the process ended by then? */
static bool wait_for(int pidfd, unsigned timeout_ms) {
	long long deadline = now_ms() + timeout_ms;
	for (;;) {
		long long left = deadline - now_ms();
		struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
		int count = poll(&poll_fd, 1, left > 0 ? (int)left : 0);
		if (count > 0) {
			return true;
		}
		if (count == 0 && left <= 0) {
			return false;
		}
		if (count < 0 && errno != EINTR) {
			return false;
		}
	}
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

static struct worker_result supervise(pid_t pid, int pidfd, unsigned deadline_ms) {
	if (wait_for(pidfd, deadline_ms)) {
		return reap(pid);
	}
	pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
	if (!wait_for(pidfd, KILL_GRACE_MS)) {
		return (struct worker_result){WORKER_STUCK, ETIMEDOUT};
	}
	/* It may have finished in the last moment: then that counts. */
	struct worker_result result = reap(pid);
	if (result.state == WORKER_FAILED && result.error == EINTR) {
		return (struct worker_result){WORKER_TIMED_OUT, ETIMEDOUT};
	}
	return result;
}

struct worker_result worker_run(int (*work)(void *data), void *data, unsigned deadline_ms) {
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
	struct worker_result result = supervise(pid, pidfd, deadline_ms);
	close(pidfd);
	return result;
}
