#ifndef PORTAL_LAUNCHER_KEEPER_RUN_H
#define PORTAL_LAUNCHER_KEEPER_RUN_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "bridge.h"
#include "domain/manager.h"
#include "keeper.h"

/* What keeper_start() hands to the keeper it starts: arguments, and descriptors behind standard
 * error. For no one else. */
enum keeper_argument {
	KEEPER_PROGRAM,
	KEEPER_FLAG, /* --keep */
	KEEPER_VM,
	KEEPER_TRANSPORT,
	KEEPER_HEAP,
	KEEPER_KEY,
	KEEPER_LABEL,
	KEEPER_HEAP_SIZE,
	KEEPER_URI,
	KEEPER_DOMAIN,
	KEEPER_IDLE_STOP,
	KEEPER_ARGUMENTS,
};

enum keeper_descriptor {
	KEEPER_CONTROL = 3, /* the bridge's listening control socket */
	KEEPER_STATE = 4, /* guest_paths.state, locked */
};

#define KEEPER_MINUTE UINT64_C(60000000) /* in µs */

struct keeper {
	struct keeper_guest guest;
	struct guest_paths paths;
	bool local;

	sd_event *loop;
	pid_t bridge_pid, agent_pid; /* 0: does not run */
	sd_event_source *bridge_source, *agent_source;
	sd_event_source *program_source; /* one of the agent's programs, while it is waited for */
	uint64_t crash_time; /* of the first of `crashes`, CLOCK_MONOTONIC */
	int crashes;

	sd_varlink *link; /* tells of the bridge's state */
	struct bridge_state state;
	bool heard; /* state is something the bridge said */
	bool met; /* the guest's agent was there since this keeper began */
	sd_event_source *host_source; /* the next time a host is asked; NULL: no need to */
	unsigned host_wait; /* seconds until then */

	uint64_t heap_peak; /* bytes in buffers, the most since the last report */
	uint64_t heap_since; /* that report or the beginning, CLOCK_MONOTONIC, µs; 0: none */
	bool heap_failed;

	struct domain_manager *manager; /* NULL without a domain or libvirt */
	sd_event_source *idle_source; /* the time without a window; NULL: not running */
	bool changed; /* windows, programs or agent, since that time was over */
	sd_event_source *shutdown_source;

	/* Waiting for the lock on paths.users is done in a thread of its own: it can take long. */
	pthread_t lock_thread;
	bool locking;
	int lock_pipe[2]; /* the thread writes the locked descriptor here */
	sd_event_source *lock_source;
	int lock; /* the lock, once it is had; -1 */

	bool ending;
};

/* keeper_run.c: the parts and their ends. */
void keeper_log(const struct keeper *keeper, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Ends bridge and agent, then the keeper. */
void keeper_end(struct keeper *keeper);
/* Connects to libvirt, or anew. Without it the bridge works as well; false is logged. */
bool keeper_connect_libvirt(struct keeper *keeper);

/* keeper_heap.c: reports how much of its heap the guest uses, when it is told of it anyway, and at
 * the end of the bridge. */
void keeper_heap_hear(struct keeper *keeper, const struct bridge_state *state);
void keeper_heap_finish(struct keeper *keeper);

/* keeper_idle.c: ends things that nobody uses any more. */
bool keeper_idle_init(struct keeper *keeper);
void keeper_idle_finish(struct keeper *keeper);
/* To be called after each change of keeper->state. */
void keeper_idle_consider(struct keeper *keeper);

#endif
