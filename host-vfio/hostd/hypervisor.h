#ifndef HOST_HOSTD_HYPERVISOR_H
#define HOST_HOSTD_HYPERVISOR_H

#include <systemd/sd-event.h>

#include "base/strings.h"
#include "domain/manager.h"
#include "memory/usage.h"
#include "policy/decide.h"

/*
 * libvirt, seen from a loop that must never wait for it: one process of its own watches the
 * domains, and each call is made by another, so that a libvirt that does not answer holds up nobody
 * but who asked. This process never opens a connection.
 */

enum { HYPERVISOR_UNKNOWN = -1 }; /* beside enum domain_state */

enum hypervisor_operation {
	HYPERVISOR_START, /* or resume */
	HYPERVISOR_SHUTDOWN, /* ask for it */
	HYPERVISOR_KILL,
	HYPERVISOR_ATTACH, /* a device of the host's, while it runs */
	HYPERVISOR_CHECK, /* refused when its definition is of another machine than this one is */
};

/* What a definition is compared with: definition.h. */
struct hypervisor_check {
	const struct known *known;
	const struct machine *machine;
	const struct decisions *decisions; /* where everything is to belong */
	const char *vm; /* as the policy calls it */
};

struct hypervisor_order {
	enum hypervisor_operation operation;
	const char *domain;
	uint64_t heap; /* to start: bytes of its heap; 0: as it is */
	const char *device; /* to attach: its address */
	const struct hypervisor_check *check; /* looked at before hypervisor_call() returns, or by
						 the process that it makes */
};

/* What came of a call beside 0 and enum domain_failure. */
enum {
	HYPERVISOR_NO_ANSWER = -10,
	HYPERVISOR_WAS_OFF =
		1, /* to shut down or kill: done, it was off already or ended by itself */
};

struct hypervisor;

struct hypervisor_handlers {
	/* Each state when the watching begins, of all domains that libvirt has, then each change.
	 * What it takes of the memory, by its definition or while it runs, comes with the first,
	 * and when it has ended or runs; else it is NULL. */
	void (*state)(void *data, const char *domain, int state, const struct memory_usage *usage);
	/* The same of one whose state has not changed. */
	void (*usage)(void *data, const char *domain, const struct memory_usage *usage);
	/* The states of all domains have been told; or, with the reason, there is no libvirt now.
	 * It is tried again by itself. */
	void (*ready)(void *data);
	void (*lost)(void *data, const char *reason);
};

struct hypervisor *hypervisor_create(
	sd_event *loop, const char *uri, const struct hypervisor_handlers *handlers, void *data);
/* Calls under way end without a word, whatever they come to. NULL is fine. */
void hypervisor_destroy(struct hypervisor *hypervisor);

/* Watches these domains from now on, beside all that libvirt has. */
void hypervisor_watch(struct hypervisor *hypervisor, const struct strings *domains);
/* Tries at once, where libvirt is waited for. */
void hypervisor_retry(struct hypervisor *hypervisor);

/* Calls libvirt; a domain that is started gets a heap of so many bytes before, 0: the one that it
 * has. `done` is called once, from the loop, with 0, HYPERVISOR_WAS_OFF, or a failure and its
 * reason. */
void hypervisor_call(struct hypervisor *hypervisor, const struct hypervisor_order *order,
	void (*done)(void *data, int failure, const char *reason), void *data);

#endif
