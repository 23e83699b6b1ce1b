#ifndef HOST_HOSTD_JOB_H
#define HOST_HOSTD_JOB_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "base/error.h"

/* Work that blocks, in a process of its own beside the loop: changes of devices, and every call to
 * libvirt. It tells what it finds in lines, and dies with the daemon. */

struct job;

enum job_ending {
	JOB_DONE, /* it returned; the status is what it returned */
	JOB_KILLED, /* by a signal, a crash among them */
	JOB_TIMED_OUT, /* past its deadline; where the kernel lets it be ended it is */
};

struct job_handlers {
	/* A line that the work has written, without its newline. May be NULL. */
	void (*line)(void *data, const char *line);
	/* Called once, after the last line; the job is gone then. */
	void (*end)(void *data, enum job_ending ending, int status);
};

/*
 * Runs `work` in a child process, with nothing open but the standard descriptors and `out`, and
 * exits with what it returns. The child sees the parent's memory as it is now. `deadline_ms` 0:
 * none. NULL with the reason.
 */
struct job *job_start(sd_event *loop, int (*work)(void *work_data, int out), void *work_data,
	unsigned deadline_ms, const struct job_handlers *handlers, void *data, struct error *error);
/* Ends it without a word. NULL is fine. Not from within its handlers. */
void job_cancel(struct job *job);

#endif
