#include "heap_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/must.h"
#include "base/size.h"
#include "heap/domain_usage.h"
#include "heap/guest_heap.h"
#include "heap_use.h"
#include "say.h"
#include "status.h"

int heap_plan_lock(const struct guest_paths *paths) {
	/* The directory itself, so that no file is left behind for it. */
	int lock = open(paths->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = lock < 0 ? -1 : flock(lock, LOCK_EX | LOCK_NB);
	if (result < 0 && errno == EWOULDBLOCK) {
		say_progress("waiting for another guest to start…");
		do {
			result = flock(lock, LOCK_EX);
		} while (result < 0 && errno == EINTR);
	}
	if (result < 0) {
		say_failure(RUN_SYSTEM, "%s: %s", paths->directory, strerror(errno));
		if (lock >= 0) {
			close(lock);
		}
		return -1;
	}
	return lock;
}

/* What people call a domain: its guest's name, where it is one's. */
static const char *name_of(
	const struct machine *machine, const struct settings *settings, const char *domain) {
	for (size_t i = 0; i < settings->vms.len; i++) {
		const struct config_vm *vm = &settings->vms.vms[i];
		if (vm->uri != NULL && strcmp(vm->uri, machine->vm->uri) == 0 &&
			strcmp(vm->domain, domain) == 0) {
			return vm->name;
		}
	}
	return domain;
}

/* Everything that the guest's libvirt runs, whoever has named or started it; the caller's. */
static struct scheme_running *find_running(const struct machine *machine,
	const struct settings *settings, const struct domain_usage *domains, size_t domains_count,
	size_t *count) {
	struct memory_holder *holders = must_alloc(domains_count + 1, sizeof(*holders));
	struct strings own = {0};
	*count = 0;
	for (size_t i = 0; i < domains_count; i++) {
		const struct domain_usage *domain = &domains[i];
		if (strcmp(domain->name, machine->vm->domain) == 0) {
			for (size_t k = 0; k < domain->usage.shared_count; k++) {
				strings_add(&own, domain->usage.shared[k].path);
			}
		} else if (domain->runs) {
			holders[(*count)++] = (struct memory_holder){
				.name = name_of(machine, settings, domain->name),
				.usage = &domain->usage};
		}
	}
	struct scheme_running *running = memory_holders_count(holders, *count, &own);
	strings_finish(&own);
	free(holders);
	return running;
}

/* Whether a heap may become another one: what a controller is defined with or has stays. */
static bool is_shared(const struct machine *machine, const struct domain_usage *domains,
	size_t count, const char *path) {
	for (size_t i = 0; i < count; i++) {
		if (strcmp(domains[i].name, machine->vm->domain) != 0 &&
			memory_usage_has(&domains[i].usage, path)) {
			return true;
		}
	}
	return false;
}

static void explain(const char *vm, uint64_t former, uint64_t size, const char *reason) {
	char was[SIZE_TEXT], is[SIZE_TEXT];
	size_format(former, was);
	size_format(size, is);
	say("the heap of %s is %s now, after %s: %s", vm, is, was, reason);
}

static int resize(struct machine *machine, uint64_t planned, const char *reason) {
	struct guest_heap heap;
	struct error error = {0};
	if (guest_heap_resize(machine->manager, machine->vm->domain, planned, &heap, &error) != 0) {
		return say_failure(RUN_DOMAIN, "cannot give %s the heap that is planned: %s",
			machine->vm->name, error.text);
	}
	if (heap.size != heap.former) {
		explain(machine->vm->name, heap.former, heap.size, reason);
	}
	return RUN_OK;
}

static int plan(struct machine *machine, const struct settings *settings,
	const struct domain_usage *domains, size_t domains_count, const struct memory_usage *own) {
	const struct memory_shared *heap = memory_usage_heap(own);
	bool fixed = is_shared(machine, domains, domains_count, heap->path);
	size_t count;
	struct scheme_running *running =
		find_running(machine, settings, domains, domains_count, &count);
	const struct scheme_start start = {
		.name = machine->vm->name,
		.memory = own->memory,
		.heaps = fixed ? memory_usage_total(own) - own->memory : 0,
		.page = own->page,
	};
	struct error error = {0};
	uint64_t planned;
	char *reason = NULL;
	int result = fixed ? heap_use_check(running, count, &start, &error)
			   : heap_use_plan(running, count, &start, &planned, &reason, &error);
	int status = RUN_OK;
	if (result < 0) {
		status = say_failure(
			RUN_MEMORY, "%s is not started: %s", machine->vm->name, error.text);
	} else if (result > 0) {
		status = resize(machine, planned, reason);
	}
	free(reason);
	free(running);
	return status;
}

int heap_plan_apply(struct machine *machine, const struct settings *settings) {
	struct domain_usage *domains;
	size_t count;
	struct error error = {0};
	int status = RUN_OK;
	int failure = domain_usages_read(machine->manager, &domains, &count, &error);
	/* Starting it says what is wrong. */
	for (size_t i = 0; i < count && failure == 0; i++) {
		if (strcmp(domains[i].name, machine->vm->domain) == 0 &&
			memory_usage_heap(&domains[i].usage) != NULL) {
			status = plan(machine, settings, domains, count, &domains[i].usage);
		}
	}
	domain_usages_finish(domains, count);
	return status;
}
