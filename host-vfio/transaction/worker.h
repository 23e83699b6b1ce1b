#ifndef HOST_TRANSACTION_WORKER_H
#define HOST_TRANSACTION_WORKER_H

/* Work that may hang in the kernel (a driver that waits for a device to be let go), in a process of
 * its own, so that nobody else hangs with it. */

enum worker_state {
	WORKER_DONE,
	WORKER_FAILED,
	WORKER_TIMED_OUT, /* and could be ended: it does nothing any more */
	WORKER_STUCK, /* past its deadline, and not even SIGKILL ends it: it is inside the kernel */
};

struct worker_result {
	enum worker_state state;
	int error; /* errno of WORKER_FAILED */
};

/* Runs `work` in a child process; it returns 0 or an errno up to 255. The child dies with its
 * parent where the kernel lets it. */
struct worker_result worker_run(int (*work)(void *data), void *data, unsigned deadline_ms);
/* The same with time until the descriptor `deadline` is readable. */
struct worker_result worker_run_until(int (*work)(void *data), void *data, int deadline);

/* A descriptor that is readable when so many milliseconds are over, those not counted in which the
 * machine slept; the caller's. -1 with errno. */
int worker_deadline(unsigned deadline_ms);

#endif
