#include "hostd/job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"

enum {
	OUT_FD = 3,
	LINE_MAX_SIZE = 1024 * 1024, /* longer ones are cut: nothing that is read here is */
	GRACE_MS = 2000, /* what the kernel gets to end a process that it is able to end */
};

struct job {
	const struct job_handlers *handlers;
	void *data;
	sd_event_source *output, *child, *deadline;
	int out;
	int pidfd; /* the child source's */
	bool killed; /* past its deadline */
	char *line; /* what has come of the next one */
	size_t length;
};

static void job_free(struct job *job) {
	sd_event_source_disable_unref(job->output);
	sd_event_source_disable_unref(job->child);
	sd_event_source_disable_unref(job->deadline);
	close(job->out);
	free(job->line);
	free(job);
}

static void end(struct job *job, enum job_ending ending, int status) {
	const struct job_handlers *handlers = job->handlers;
	void *data = job->data;
	job_free(job);
	handlers->end(data, ending, status);
}

static void take(struct job *job, const char *bytes, size_t count) {
	for (size_t i = 0; i < count; i++) {
		if (bytes[i] == '\n') {
			job->line[job->length] = '\0';
			job->length = 0;
			if (job->handlers->line) {
				job->handlers->line(job->data, job->line);
			}
		} else if (job->length < LINE_MAX_SIZE) {
			job->line[job->length++] = bytes[i];
		}
	}
}

/* Reads all that is there. */
static void drain(struct job *job) {
	char bytes[4096];
	ssize_t count;
	while ((count = read(job->out, bytes, sizeof(bytes))) > 0) {
		take(job, bytes, (size_t)count);
	}
	if (count == 0) {
		sd_event_source_set_enabled(job->output, SD_EVENT_OFF);
	}
}

static int handle_output(sd_event_source *source, int fd, uint32_t events, void *data) {
	drain(data);
	return 0;
}

/* What counts is the end of the child: a process of its own that hangs in the kernel keeps the pipe
 * open. */
static int handle_child(sd_event_source *source, const siginfo_t *info, void *data) {
	struct job *job = data;
	drain(job);
	bool returned = info->si_code == CLD_EXITED;
	/* It may have finished in the last moment: then that counts. */
	end(job, returned ? JOB_DONE : job->killed ? JOB_TIMED_OUT : JOB_KILLED, info->si_status);
	return 0;
}

static int handle_orphan(sd_event_source *source, const siginfo_t *info, void *data) {
	return sd_event_source_set_floating(source, 0); /* which frees it */
}

/* Nobody waits for it any more; the loop takes it in when it has ended. */
static void abandon(struct job *job) {
	sd_event *loop = sd_event_source_get_event(job->output);
	sd_event_source *orphan = NULL;
	int pidfd = fcntl(job->pidfd, F_DUPFD_CLOEXEC, 0);
	job->child = sd_event_source_disable_unref(job->child);
	if (pidfd < 0) {
		return; /* it stays a zombie until the daemon ends */
	}
	if (sd_event_add_child_pidfd(loop, &orphan, pidfd, WEXITED, handle_orphan, NULL) < 0) {
		close(pidfd);
		return;
	}
	sd_event_source_set_child_pidfd_own(orphan, 1);
	sd_event_source_set_floating(orphan, 1);
	sd_event_source_unref(orphan);
}

static int handle_deadline(sd_event_source *source, uint64_t usec, void *data) {
	struct job *job = data;
	if (!job->killed) {
		job->killed = true;
		pidfd_send_signal(job->pidfd, SIGKILL, NULL, 0);
		sd_event_source_set_time_relative(source, GRACE_MS * 1000);
		return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	/* Not even that ends it: it hangs in the kernel. */
	drain(job);
	abandon(job);
	end(job, JOB_TIMED_OUT, 0);
	return 0;
}

static void run_child(int (*work)(void *, int), void *work_data, int out, pid_t parent) {
	sigset_t none;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) {
		_exit(EXIT_FAILURE); /* it was gone before it could be asked for */
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (dup2(out, OUT_FD) < 0 || close_range(OUT_FD + 1, ~0u, 0) < 0) {
		_exit(EXIT_FAILURE);
	}
	/* dup2() of a descriptor to itself would keep the flag. */
	fcntl(OUT_FD, F_SETFD, FD_CLOEXEC);
	_exit(work(work_data, OUT_FD));
}

static int watch(struct job *job, sd_event *loop, unsigned deadline_ms) {
	int result = sd_event_add_io(loop, &job->output, job->out, EPOLLIN, handle_output, job);
	if (result >= 0) {
		result = sd_event_add_child_pidfd(
			loop, &job->child, job->pidfd, WEXITED, handle_child, job);
	}
	if (result >= 0) {
		result = sd_event_source_set_child_pidfd_own(job->child, 1);
	}
	if (result >= 0 && deadline_ms > 0) {
		result = sd_event_add_time_relative(loop, &job->deadline, CLOCK_MONOTONIC,
			(uint64_t)deadline_ms * 1000, 0, handle_deadline, job);
	}
	return result;
}

struct job *job_start(sd_event *loop, int (*work)(void *work_data, int out), void *work_data,
	unsigned deadline_ms, const struct job_handlers *handlers, void *data,
	struct error *error) {
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0) {
		error_set(error, "no pipe: %s", strerror(errno));
		return NULL;
	}
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0) {
		run_child(work, work_data, ends[1], parent);
	}
	int saved = errno;
	close(ends[1]);
	int pidfd = pid < 0 ? -1 : pidfd_open(pid, 0);
	if (pidfd < 0) {
		error_set(error, "no process: %s", strerror(pid < 0 ? saved : errno));
		close(ends[0]);
		if (pid > 0) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
		return NULL;
	}
	struct job *job = must_alloc(1, sizeof(*job));
	*job = (struct job){.handlers = handlers, .data = data, .out = ends[0], .pidfd = pidfd};
	job->line = must_alloc(LINE_MAX_SIZE + 1, 1);
	fcntl(job->out, F_SETFL, O_NONBLOCK);
	int result = watch(job, loop, deadline_ms);
	if (result < 0) {
		error_set(error, "no process: %s", strerror(-result));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		job_free(job);
		return NULL;
	}
	return job;
}

void job_cancel(struct job *job) {
	if (job) {
		pidfd_send_signal(job->pidfd, SIGKILL, NULL, 0);
		abandon(job);
		job_free(job);
	}
}
