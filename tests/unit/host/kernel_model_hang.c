#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel_model_state.h"

static void tell_news(struct shared *shared, _Atomic uint32_t *which) {
	(*which)++;
	shared->news++;
	syscall(SYS_futex, &shared->news, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Until something is told that was not told by then. */
static void wait_for_news(struct shared *shared, uint32_t then) {
	syscall(SYS_futex, &shared->news, FUTEX_WAIT, then, NULL, NULL, 0);
}

/* The time of the worker that this is is over. */
static void end_time(const struct kernel_model *model) {
	if (model->deadline >= 0 && eventfd_write(model->deadline, 1) < 0) {
		abort();
	}
}

/* As if what happened since `released` had been waited for. */
static void wait_since(struct kernel_model *model, uint32_t released, const char *what) {
	struct shared *shared = model->shared;
	const uint32_t expired = shared->expiries;
	bool over = false;
	if (model->hangs) {
		model->hangs(what);
	}
	for (;;) {
		uint32_t news = shared->news;
		if (shared->releases != released) {
			return;
		}
		if (!over && (!shared->takes_time || shared->expiries != expired)) {
			over = true;
			end_time(model);
		}
		wait_for_news(shared, news);
	}
}

void model_wait(struct kernel_model *model, const char *what) {
	wait_since(model, model->shared->releases, what);
}

void model_wait_for_lock(
	struct kernel_model *model, const struct model_device *device, const char *what) {
	const uint32_t released = model->shared->releases;
	if (device->locked) {
		wait_since(model, released, what);
	}
}

/* The process that keeps another one from ending until the release. It has nothing else open of
 * what that one has. */
static void keep(struct kernel_model *model, pid_t pid, uint32_t released, int told) {
	dup2(told, STDIN_FILENO);
	close_range(STDERR_FILENO + 1, ~0u, 0);
	if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACEEXIT) < 0) {
		perror("the model of the kernel: ptrace");
		_exit(EXIT_FAILURE);
	}
	if (write(STDIN_FILENO, "", 1) != 1) {
		_exit(EXIT_FAILURE);
	}
	while (model->shared->releases == released) {
		wait_for_news(model->shared, model->shared->news);
	}
	_exit(EXIT_SUCCESS); /* which lets it go */
}

/* A process that is killed stops on its way out while another one traces it so: with everything
 * still open, as one that is in the kernel. */
static void become_stuck(struct kernel_model *model, uint32_t released) {
	int told[2];
	char byte;
	pid_t self = getpid();
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	if (pipe2(told, O_CLOEXEC) < 0) {
		abort();
	}
	if (fork() == 0) {
		keep(model, self, released, told[1]);
	}
	close(told[1]);
	if (read(told[0], &byte, 1) != 1) {
		abort();
	}
	close(told[0]);
}

void model_hang_locked(struct kernel_model *model, struct model_device *device,
	const struct step *step, bool stuck) {
	const uint32_t released = model->shared->releases;
	if (device) {
		device->locked = true;
		device->pending = step->kind == STEP_UNBIND || step->kind == STEP_BIND ||
				  step->kind == STEP_REMOVE;
		device->pending_kind = step->kind;
		model_set_text(device->pending_driver, step->driver);
	}
	if (stuck) {
		become_stuck(model, released);
	}
	char *sentence = step_sentence(step);
	wait_since(model, released, sentence);
	free(sentence);
}

void kernel_model_release(struct kernel_model *model) {
	for (size_t i = 0; i < model->shared->count; i++) {
		struct model_device *device = &model->shared->devices[i];
		if (device->locked && device->pending) {
			const struct step step = {
				.kind = device->pending_kind, .driver = device->pending_driver};
			model_apply(model->shared, device, &step);
		}
		device->locked = device->held = device->pending = false;
	}
	tell_news(model->shared, &model->shared->releases);
}

void kernel_model_take_time(struct kernel_model *model, void (*hangs)(const char *sentence)) {
	model->shared->takes_time = true;
	model->hangs = hangs;
}

void kernel_model_expire(struct kernel_model *model) {
	tell_news(model->shared, &model->shared->expiries);
}
