#include "heap_plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/must.h"
#include "base/size.h"
#include "domain/info.h"
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

/* A definition or description of a guest's domain; false when there is none of that kind. */
static bool read_info(struct domain_manager *manager, const char *domain, bool live,
	struct domain_info *info, char **xml) {
	struct error error;
	if (domain_manager_get_xml(manager, domain, live, xml, &error) < 0) {
		return false;
	}
	if (domain_info_read(info, *xml, &error) < 0) {
		free(*xml);
		return false;
	}
	return true;
}

static bool has_memory(enum domain_state state) {
	return state == DOMAIN_RUNNING || state == DOMAIN_PAUSED || state == DOMAIN_STOPPING;
}

/* The other guests of the same libvirt that run now; the caller's. */
static struct scheme_running *find_running(
	struct machine *machine, const struct settings *settings, size_t *count) {
	struct scheme_running *running = NULL;
	*count = 0;
	for (size_t i = 0; i < settings->vms.len; i++) {
		const struct config_vm *vm = &settings->vms.vms[i];
		enum domain_state state;
		struct domain_info info;
		struct error error;
		char *xml;
		if (vm == machine->vm || vm->uri == NULL ||
			strcmp(vm->uri, machine->vm->uri) != 0 ||
			domain_manager_get_state(machine->manager, vm->domain, &state, &error) <
				0 ||
			!has_memory(state) ||
			!read_info(machine->manager, vm->domain, true, &info, &xml)) {
			continue;
		}
		running = must_grow(running, *count, sizeof(*running));
		running[(*count)++] =
			(struct scheme_running){.guest = vm->name, .heap = info.heap_size};
		domain_info_finish(&info);
		free(xml);
	}
	return running;
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

int heap_plan_apply(struct machine *machine, const struct settings *settings) {
	struct domain_info info;
	struct error error = {0};
	uint64_t planned;
	size_t count;
	char *xml, *reason;
	if (!read_info(machine->manager, machine->vm->domain, false, &info, &xml)) {
		return RUN_OK; /* starting it says what is wrong */
	}
	bool has_heap = info.heap != DOMAIN_HEAP_UNSET;
	domain_info_finish(&info);
	free(xml);
	if (!has_heap) {
		return RUN_OK;
	}
	struct scheme_running *running = find_running(machine, settings, &count);
	int plan = heap_use_plan(machine->vm->name, running, count, &planned, &reason, &error);
	int status = RUN_OK;
	if (plan < 0) {
		status = say_failure(
			RUN_MEMORY, "%s is not started: %s", machine->vm->name, error.text);
	} else if (plan > 0) {
		status = resize(machine, planned, reason);
		free(reason);
	}
	free(running);
	return status;
}
