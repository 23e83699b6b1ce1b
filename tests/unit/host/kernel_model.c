#include "kernel_model.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/must.h"
#include "fixture.h"
#include "kernel_model_state.h"

enum { DELAY_MS = 5 };

void model_set_text(char to[TEXT], const char *from) {
	strlcpy(to, from ? from : "", TEXT);
}

struct model_device *model_find(struct kernel_model *model, const char *address, size_t length) {
	for (size_t i = 0; i < model->shared->count; i++) {
		struct model_device *device = &model->shared->devices[i];
		if (strlen(device->address) == length &&
			strncmp(device->address, address, length) == 0) {
			return device;
		}
	}
	return NULL;
}

static const struct fault *take_fault(
	struct shared *shared, struct model_device *device, const struct step *step) {
	const unsigned operation = shared->operations++;
	if (device && device->trapped && device->trap == step->kind) {
		device->trapped = false;
		return &device->trap_fault;
	}
	for (size_t i = 0; i < shared->faults_count; i++) {
		if (shared->faults[i].operation == operation && !shared->spent[i]) {
			shared->spent[i] = true;
			return &shared->faults[i];
		}
	}
	return NULL;
}

static void write_log(struct shared *shared, const struct step *step) {
	char *sentence = step_sentence(step);
	size_t used = strlen(shared->log);
	snprintf(shared->log + used, LOG_MAX - used, "%s\n", sentence);
	free(sentence);
}

static void wait_in(struct kernel_model *model, const struct step *step) {
	char *sentence = step_sentence(step);
	model_wait(model, sentence);
	free(sentence);
}

/* What a fault does before anything else: true when that was all, with the errno. */
static bool begin_fault(struct kernel_model *model, const struct fault *fault,
	const struct step *step, int *error) {
	switch (fault->kind) {
	case FAULT_FAIL:
		*error = fault->error;
		return true;
	case FAULT_IGNORE:
		*error = 0;
		return true;
	case FAULT_DELAY:
		poll(NULL, 0, DELAY_MS);
		return false;
	case FAULT_HANG:
		wait_in(model, step);
		*error = EINTR;
		return true;
	case FAULT_KILL:
		kill(getppid(), SIGKILL);
		_exit(0);
	default:
		return false;
	}
}

int model_operate(
	struct kernel_model *model, struct model_device *device, const struct step *step) {
	struct shared *shared = model->shared;
	const struct fault *fault = take_fault(shared, device, step);
	int error;
	write_log(shared, step);
	if (device) {
		char *sentence = step_sentence(step);
		model_wait_for_lock(model, device, sentence);
		free(sentence);
	}
	if (fault && begin_fault(model, fault, step, &error)) {
		return error;
	}
	if (fault && fault->kind == FAULT_UNPLUG && device) {
		kernel_model_unplug(model, device->address);
		return ENODEV;
	}
	error = model_judge(shared, device, step);
	if (error) {
		return error;
	}
	bool stuck = fault && fault->kind == FAULT_HANG_STUCK;
	if (stuck || (fault && fault->kind == FAULT_HANG_LOCKED) ||
		(device && device->held && step->kind == STEP_UNBIND)) {
		model_hang_locked(model, device, step, stuck);
		return 0;
	}
	model_apply(shared, device, step);
	if (fault && fault->kind == FAULT_KILL_LATE) {
		kill(getppid(), SIGKILL);
		_exit(0);
	}
	return fault && fault->kind == FAULT_FAIL_LATE ? fault->error : 0;
}

void kernel_model_unplug(struct kernel_model *model, const char *address) {
	struct model_device *device = model_find(model, address, strlen(address));
	device->removed = device->pulled = true;
	model_set_text(device->driver, "");
}

void kernel_model_plug(struct kernel_model *model, const char *address) {
	struct model_device *device = model_find(model, address, strlen(address));
	device->removed = device->pulled = false;
	model_set_text(device->override, "");
	model_set_text(device->reset, device->methods);
	model_set_text(device->driver, device->native);
}

static void model_destroy(struct tree *base) {
	kernel_model_destroy((struct kernel_model *)base);
}

static const struct tree_interface model_interface = {
	.read = model_read,
	.read_link = model_read_link,
	.list = model_list,
	.write = model_write,
	.destroy = model_destroy,
};

/* -1: it is on a root bus. */
static int find_bridge(const struct machine *machine, const struct pci_device *device) {
	char *path = must_copy(device->path);
	*strrchr(path, '/') = '\0';
	const struct pci_device *bridge = machine_find_path(machine, path);
	free(path);
	return bridge ? (int)(bridge - machine->devices) : -1;
}

static void add_devices(struct shared *shared, const struct machine *machine) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		struct model_device *device = &shared->devices[shared->count++];
		const struct pci_device *real = &machine->devices[i];
		model_set_text(device->address, real->name);
		model_set_text(device->native, real->driver);
		model_set_text(device->driver, real->driver);
		model_set_text(device->override, real->driver_override);
		model_set_text(device->methods, real->reset_methods);
		model_set_text(device->reset, real->reset_methods);
		device->group = real->iommu_group;
		device->bridge = find_bridge(machine, real);
		/* As the kernel's driver leaves ports (pcie_portdrv_probe). */
		bool port = real->driver && strcmp(real->driver, "pcieport") == 0;
		model_set_text(device->control, port ? "auto" : "");
	}
}

/* What shows the text console, as the inventory has found it. */
static void add_framebuffers(struct shared *shared, const struct machine *machine) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		for (size_t k = 0; k < device->holders_count; k++) {
			const struct holder *holder = &device->holders[k];
			if (holder->kind == HOLDER_CONSOLE && holder->through) {
				model_set_text(shared->console, holder->name);
				shared->console_bound = true;
			}
			if (holder->kind != HOLDER_FRAMEBUFFER) {
				continue;
			}
			struct model_framebuffer *framebuffer =
				&shared->framebuffers[shared->framebuffers_count++];
			*framebuffer = (struct model_framebuffer){.device = (int)i, .platform = -1};
			model_set_text(framebuffer->name, holder->name);
			if (holder->through) {
				framebuffer->device = -1;
				framebuffer->platform = (int)shared->platforms_count++;
				struct model_platform *platform =
					&shared->platforms[framebuffer->platform];
				model_set_text(platform->name, holder->through);
				model_set_text(platform->driver, holder->through);
				*strrchr(platform->driver, '.') = '\0';
			}
		}
	}
}

struct kernel_model *kernel_model_create_from(struct memory_tree *tree) {
	struct kernel_model *model = must_alloc(1, sizeof(*model));
	model->base.impl = &model_interface;
	model->memory = tree;
	model->deadline = -1;
	model->shared = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (model->shared == MAP_FAILED) {
		abort();
	}
	struct machine machine;
	if (machine_read(&machine, memory_tree_base(tree), NULL) < 0) {
		abort();
	}
	add_devices(model->shared, &machine);
	add_framebuffers(model->shared, &machine);
	machine_finish(&machine);
	memory_tree_put_file(tree, "/proc/sys/kernel/random/boot_id", "boot-1\n", 7);
	memory_tree_put_file(tree, "/sys/power/state", "freeze mem disk\n", 16);
	memory_tree_put_file(tree, "/sys/power/wakeup_count", "7\n", 2);
	model_set_text(model->shared->autoprobe, "1");
	model_set_text(model->shared->mem_sleep, "s2idle");
	return model;
}

struct kernel_model *kernel_model_create(const char *fixture) {
	return kernel_model_create_from(fixture_tree(fixture));
}

void kernel_model_destroy(struct kernel_model *model) {
	munmap(model->shared, sizeof(struct shared));
	tree_destroy(memory_tree_base(model->memory));
	free(model);
}

struct tree *kernel_model_tree(struct kernel_model *model) {
	return &model->base;
}

struct memory_tree *kernel_model_memory(struct kernel_model *model) {
	return model->memory;
}

void kernel_model_arm(struct kernel_model *model, const struct fault *faults, size_t count) {
	struct shared *shared = model->shared;
	shared->operations = 0;
	shared->log[0] = '\0';
	shared->ended_count = 0;
	model_set_text(shared->alarm, ""); /* it went off in the meantime */
	shared->faults_count = count;
	for (size_t i = 0; i < count && i < FAULTS_MAX; i++) {
		shared->faults[i] = faults[i];
		shared->spent[i] = false;
	}
}

unsigned kernel_model_operations(const struct kernel_model *model) {
	return model->shared->operations;
}

char *kernel_model_log(const struct kernel_model *model) {
	return must_copy(model->shared->log);
}

void kernel_model_trap(struct kernel_model *model, const char *address, enum step_kind operation,
	enum fault_kind fault) {
	struct model_device *device = model_find(model, address, strlen(address));
	device->trap_fault = (struct fault){.kind = fault, .error = EIO};
	device->trap = operation;
	device->trapped = true;
}

void kernel_model_hold(struct kernel_model *model, const char *address) {
	model_find(model, address, strlen(address))->held = true;
}

void kernel_model_lock(struct kernel_model *model, const char *address) {
	model_find(model, address, strlen(address))->locked = true;
}

void kernel_model_break(struct kernel_model *model, const char *address, const char *cure) {
	struct model_device *device = model_find(model, address, strlen(address));
	device->fragile = cure != NULL;
	device->dead = false;
	model_set_text(device->cure, cure);
}

void kernel_model_pull(struct kernel_model *model, const char *address) {
	model_find(model, address, strlen(address))->pulled = true;
}

void kernel_model_confine(struct kernel_model *model) {
	model->shared->confined = true;
}

void kernel_model_add_unit(struct kernel_model *model, const char *name) {
	struct model_unit *unit = &model->shared->units[model->shared->units_count++];
	model_set_text(unit->name, name);
	unit->active = true;
}

void kernel_model_inhibit(struct kernel_model *model, const char *reason) {
	model_set_text(model->shared->inhibited, reason);
}

char *kernel_model_state(const struct kernel_model *model) {
	const struct shared *shared = model->shared;
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	for (size_t i = 0; i < shared->count; i++) {
		const struct model_device *device = &shared->devices[i];
		fprintf(file, "%s %s %s %s %s%s\n", device->address, device->driver,
			device->override, device->reset, device->control,
			device->removed ? " removed" : "");
	}
	for (size_t i = 0; i < shared->platforms_count; i++) {
		fprintf(file, "%s %s\n", shared->platforms[i].name, shared->platforms[i].driver);
	}
	for (size_t i = 0; i < shared->units_count; i++) {
		fprintf(file, "%s %d\n", shared->units[i].name, shared->units[i].active);
	}
	fprintf(file, "console %d, autoprobe %s, sleep %s\n",
		model_has_console(shared) && shared->console_bound, shared->autoprobe,
		shared->mem_sleep);
	fclose(file);
	return text;
}
