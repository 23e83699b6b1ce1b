#include "kernel_model.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
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

static void hang_locked(struct kernel_model *model, struct model_device *device,
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

/* One operation with its fault. 0 or an errno. */
static int operate(
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
	error = model_judge(shared, device, step);
	if (error) {
		return error;
	}
	bool stuck = fault && fault->kind == FAULT_HANG_STUCK;
	if (stuck || (fault && fault->kind == FAULT_HANG_LOCKED) ||
		(device && device->held && step->kind == STEP_UNBIND)) {
		hang_locked(model, device, step, stuck);
		return 0;
	}
	model_apply(shared, device, step);
	if (fault && fault->kind == FAULT_KILL_LATE) {
		kill(getppid(), SIGKILL);
		_exit(0);
	}
	return fault && fault->kind == FAULT_FAIL_LATE ? fault->error : 0;
}

/* "/sys/bus/BUS/drivers/DRIVER/bind" and unbind. */
static int write_driver(struct kernel_model *model, const char *path, const char *text) {
	char bus[TEXT], driver[TEXT], leaf[TEXT];
	if (sscanf(path, "/sys/bus/%63[^/]/drivers/%63[^/]/%63s", bus, driver, leaf) != 3) {
		return ENOENT;
	}
	bool bind = strcmp(leaf, "bind") == 0;
	if (strcmp(bus, "platform") == 0) {
		const struct step step = {.kind = STEP_SET,
			.setting = SETTING_FRAMEBUFFER,
			.name = (char *)(uintptr_t)text,
			.value = bind ? driver : (char *)""};
		return operate(model, NULL, &step);
	}
	struct model_device *device = model_find(model, text, strlen(text));
	const struct step step = {.kind = bind ? STEP_BIND : STEP_UNBIND,
		.device = device ? device->address : (char *)(uintptr_t)text,
		.driver = driver};
	return operate(model, device, &step);
}

/* The device's own files. -1: it is none of them. */
static int write_device(struct kernel_model *model, const char *path, const char *text) {
	static const struct {
		const char *leaf;
		enum step_kind kind;
	} files[] = {
		{"driver_override", STEP_OVERRIDE},
		{"reset_method", STEP_RESET_METHOD},
		{"reset", STEP_RESET},
		{"reset_subordinate", STEP_RESET_BUS},
		{"remove", STEP_REMOVE},
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct model_device *device = model_device_of(model, path, files[i].leaf);
		if (!device) {
			continue;
		}
		bool clear = text[0] == '\0' || text[0] == '\n';
		char *value = clear ? (char *)"" : (char *)(uintptr_t)text;
		const struct step step = {.kind = files[i].kind,
			.device = device->address,
			.driver = clear ? NULL : value,
			.value = files[i].kind == STEP_RESET ? device->reset : value};
		return device->removed ? ENOENT : operate(model, device, &step);
	}
	return -1;
}

/* Settings that are one file each. -1: it is none of them. */
static int write_setting(struct kernel_model *model, const char *path, const char *text) {
	const struct shared *shared = model->shared;
	struct step step = {.kind = STEP_SET, .name = (char *)"", .value = (char *)(uintptr_t)text};
	if (strcmp(path, "/sys/bus/pci/drivers_autoprobe") == 0) {
		step.setting = SETTING_AUTOPROBE;
	} else if (strcmp(path, "/sys/power/mem_sleep") == 0) {
		step.setting = SETTING_MEM_SLEEP;
	} else if (shared->console[0] && strstr(path, shared->console)) {
		step.setting = SETTING_CONSOLE;
		step.name = (char *)"frame buffer device";
	} else {
		return -1;
	}
	return operate(model, NULL, &step);
}

/* The clock's alarm is set for a sleep that comes or does not. */
static int write_alarm(struct kernel_model *model, const char *text) {
	model_set_text(model->shared->alarm, strcmp(text, "0") == 0 ? "" : text);
	return 0;
}

static int sleep_and_wake(struct kernel_model *model) {
	struct shared *shared = model->shared;
	const struct step step = {
		.kind = STEP_SUSPEND, .seconds = (unsigned)strtoul(shared->alarm, NULL, 10)};
	if (!shared->alarm[0]) {
		model_wait(model, "sleep"); /* nothing would ever wake it */
	}
	int error = operate(model, NULL, &step);
	model_set_text(shared->alarm, "");
	return error;
}

static int write_any(struct kernel_model *model, const char *path, const char *text) {
	char bus[TEXT];
	int error = write_device(model, path, text);
	if (error < 0) {
		error = write_setting(model, path, text);
	}
	if (error >= 0) {
		return error;
	}
	if (sscanf(path, "/sys/class/pci_bus/%63[^/]/rescan", bus) == 1) {
		char *address = must_print("%s:", bus);
		/* Named by the first device that the bus has or had. */
		for (size_t i = 0; i < model->shared->count; i++) {
			const char *other = model->shared->devices[i].address;
			if (strncmp(other, address, strlen(address)) == 0) {
				free(address);
				address = must_copy(other);
				break;
			}
		}
		const struct step step = {.kind = STEP_RESCAN, .device = address};
		error = operate(model, NULL, &step);
		free(address);
		return error;
	}
	if (strcmp(path, "/sys/class/rtc/rtc0/wakealarm") == 0) {
		return write_alarm(model, text);
	}
	if (strcmp(path, "/sys/power/wakeup_count") == 0) {
		return 0;
	}
	return strcmp(path, "/sys/power/state") == 0 ? sleep_and_wake(model)
						     : write_driver(model, path, text);
}

static int model_write(struct tree *base, const char *path, const char *text) {
	int error = write_any((struct kernel_model *)base, path, text);
	errno = error;
	return error ? -1 : 0;
}

static int call_load(const char *driver, void *user) {
	const struct step step = {.kind = STEP_LOAD, .driver = (char *)(uintptr_t)driver};
	return operate(user, NULL, &step);
}

static int call_unit_state(const char *unit, bool *active, void *user) {
	const struct shared *shared = ((struct kernel_model *)user)->shared;
	for (size_t i = 0; i < shared->units_count; i++) {
		if (strcmp(shared->units[i].name, unit) == 0) {
			*active = shared->units[i].active;
			return 0;
		}
	}
	return ENOENT;
}

static int call_unit_set(const char *unit, bool active, void *user) {
	const struct step step = {.kind = STEP_SET,
		.setting = SETTING_UNIT,
		.name = (char *)(uintptr_t)unit,
		.value = (char *)(uintptr_t)(active ? "active" : "inactive")};
	return operate(user, NULL, &step);
}

static int call_end_process(int pid, const char *name, unsigned force_ms, void *user) {
	const struct step step = {.kind = force_ms ? STEP_KILL : STEP_END,
		.name = (char *)(uintptr_t)name,
		.pid = pid};
	return operate(user, NULL, &step);
}

/* Whoever has it open keeps it. */
static void call_wait_for_close(const char *path, void *user) {
	model_wait(user, path);
}

/* Time passes only for what hangs. */
static int call_deadline(unsigned deadline_ms, void *user) {
	struct kernel_model *model = user;
	model->deadline = eventfd(0, EFD_CLOEXEC);
	return model->deadline;
}

static int call_vfio_open(
	const char *address, int group, uint16_t vendor, uint16_t device, void *user) {
	struct model_device *found = model_find(user, address, strlen(address));
	const struct step step = {.kind = STEP_PROBE, .device = (char *)(uintptr_t)address};
	return found ? operate(user, found, &step) : ENODEV;
}

static int call_vfio_reset_bus(const char *address, int group, const struct strings *ours,
	struct error *reason, void *user) {
	const struct shared *shared = ((struct kernel_model *)user)->shared;
	struct model_device *found = model_find(user, address, strlen(address));
	for (size_t i = 0; found && i < shared->count; i++) {
		const struct model_device *other = &shared->devices[i];
		if (!other->removed && model_same_bus(found, other) &&
			!strings_contain(ours, other->address)) {
			error_set(reason, "%s would be reset, too", other->address);
			return EBUSY;
		}
	}
	const struct step step = {.kind = STEP_HOT_RESET, .device = (char *)(uintptr_t)address};
	return found ? operate(user, found, &step) : ENODEV;
}

static int call_may_suspend(struct error *reason, void *user) {
	const struct shared *shared = ((struct kernel_model *)user)->shared;
	error_set(reason, "%s", shared->inhibited);
	return shared->inhibited[0] ? EPERM : 0;
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

struct step_host kernel_model_host(struct kernel_model *model) {
	static const struct step_calls calls = {
		.load_driver = call_load,
		.unit_state = call_unit_state,
		.unit_set = call_unit_set,
		.end_process = call_end_process,
		.wait_for_close = call_wait_for_close,
		.vfio_open = call_vfio_open,
		.vfio_reset_bus = call_vfio_reset_bus,
		.may_suspend = call_may_suspend,
		.deadline = call_deadline,
	};
	return (struct step_host){.tree = &model->base, .calls = &calls, .user = model};
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
		fprintf(file, "%s %s %s %s%s\n", device->address, device->driver, device->override,
			device->reset, device->removed ? " removed" : "");
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
