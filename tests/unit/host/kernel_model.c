#include "kernel_model.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/must.h"
#include "fixture.h"
#include "inventory/group.h"

enum { DEVICES_MAX = 64, TEXT = 64, FAULTS_MAX = 4, LOG_MAX = 16384, DELAY_MS = 5 };

struct model_device {
	char address[TEXT];
	char native[TEXT]; /* the driver that would bind it by its ids, or "" */
	char driver[TEXT];
	char override[TEXT];
	int group;
	bool locked, held;
	/* What completes when the lock is let go. */
	char pending_driver[TEXT];
	bool pending;
};

struct shared {
	struct model_device devices[DEVICES_MAX];
	size_t count;
	bool vfio_loaded;
	unsigned operations;
	struct fault faults[FAULTS_MAX];
	bool spent[FAULTS_MAX];
	size_t faults_count;
	char log[LOG_MAX];
};

struct kernel_model {
	struct tree base;
	struct memory_tree *memory;
	struct shared *shared;
	int release;
};

static void set_text(char to[TEXT], const char *from) {
	strlcpy(to, from ? from : "", TEXT);
}

static struct model_device *find(struct kernel_model *model, const char *address, size_t length) {
	for (size_t i = 0; i < model->shared->count; i++) {
		struct model_device *device = &model->shared->devices[i];
		if (strlen(device->address) == length &&
			strncmp(device->address, address, length) == 0) {
			return device;
		}
	}
	return NULL;
}

static void wait_for_release(struct kernel_model *model) {
	struct pollfd poll_fd = {.fd = model->release, .events = POLLIN};
	while (poll(&poll_fd, 1, -1) < 0 && errno == EINTR) {
	}
}

/* The device that ".../ADDRESS/LEAF" is about, or NULL. */
static struct model_device *device_of(
	struct kernel_model *model, const char *path, const char *leaf) {
	const char *end = strrchr(path, '/');
	if (!end || strcmp(end + 1, leaf) != 0 || strstr(path, "/drivers/")) {
		return NULL;
	}
	const char *start = end;
	while (start > path && start[-1] != '/') {
		start--;
	}
	return find(model, start, (size_t)(end - start));
}

static ssize_t model_read(struct tree *base, const char *path, void *data, size_t size) {
	struct kernel_model *model = (struct kernel_model *)base;
	struct model_device *device = device_of(model, path, "driver_override");
	if (!device) {
		struct tree *memory = memory_tree_base(model->memory);
		return memory->impl->read(memory, path, data, size);
	}
	if (device->locked) {
		wait_for_release(model);
	}
	char text[TEXT + 2];
	snprintf(text, sizeof(text), "%s\n", device->override[0] ? device->override : "(null)");
	size_t length = strlen(text) < size ? strlen(text) : size;
	memcpy(data, text, length);
	return (ssize_t)length;
}

static ssize_t model_read_link(struct tree *base, const char *path, char *data, size_t size) {
	struct kernel_model *model = (struct kernel_model *)base;
	struct model_device *device = device_of(model, path, "driver");
	if (!device) {
		struct tree *memory = memory_tree_base(model->memory);
		return memory->impl->read_link(memory, path, data, size);
	}
	if (!device->driver[0]) {
		errno = ENOENT;
		return -1;
	}
	char text[2 * TEXT];
	snprintf(text, sizeof(text), "../../../bus/pci/drivers/%s", device->driver);
	size_t length = strlen(text) < size ? strlen(text) : size;
	memcpy(data, text, length);
	return (ssize_t)length;
}

static int model_list(struct tree *base, const char *path, struct strings *names) {
	struct tree *memory = memory_tree_base(((struct kernel_model *)base)->memory);
	return memory->impl->list(memory, path, names);
}

static const struct fault *take_fault(struct shared *shared, unsigned operation) {
	for (size_t i = 0; i < shared->faults_count; i++) {
		if (shared->faults[i].operation == operation && !shared->spent[i]) {
			shared->spent[i] = true;
			return &shared->faults[i];
		}
	}
	return NULL;
}

static void write_log(
	struct shared *shared, enum step_kind kind, const char *device, const char *driver) {
	const struct step step = {.kind = kind,
		.device = (char *)(uintptr_t)device,
		.driver = (char *)(uintptr_t)driver};
	char *sentence = step_sentence(&step);
	size_t used = strlen(shared->log);
	snprintf(shared->log + used, LOG_MAX - used, "%s\n", sentence);
	free(sentence);
}

/* Would the driver core let this driver bind this device? 0 or an errno. */
static int may_bind(
	const struct shared *shared, const struct model_device *device, const char *driver) {
	const char *only = device->override[0] ? device->override : device->native;
	if (strcmp(only, driver) != 0) {
		return ENODEV;
	}
	if (device->driver[0]) {
		return EBUSY;
	}
	/* A group whose DMA a VM owns takes no driver of the host
	 * (iommu_device_use_default_domain). */
	for (size_t i = 0; i < shared->count; i++) {
		const struct model_device *other = &shared->devices[i];
		if (other->held && other->group == device->group &&
			!group_driver_is_harmless(driver)) {
			return EBUSY;
		}
	}
	return 0;
}

static bool is_loaded(const struct shared *shared, const char *driver) {
	if (strcmp(driver, "vfio-pci") == 0) {
		return shared->vfio_loaded;
	}
	for (size_t i = 0; i < shared->count; i++) {
		if (strcmp(shared->devices[i].native, driver) == 0) {
			return true;
		}
	}
	return false;
}

/* What an operation would do: 0 with the device's new driver, or an errno. */
static int judge(const struct shared *shared, const struct model_device *device,
	enum step_kind kind, const char *driver) {
	if (kind == STEP_OVERRIDE) {
		return driver && strlen(driver) >= TEXT ? EINVAL : 0;
	}
	if (!is_loaded(shared, driver)) {
		return ENOENT;
	}
	if (!device) {
		return ENODEV;
	}
	if (kind == STEP_UNBIND) {
		return strcmp(device->driver, driver) == 0 ? 0 : ENODEV;
	}
	return may_bind(shared, device, driver);
}

static void apply(struct shared *shared, struct model_device *device, enum step_kind kind,
	const char *driver) {
	if (!device) {
		shared->vfio_loaded |= kind == STEP_LOAD;
		return;
	}
	switch (kind) {
	case STEP_LOAD:
		break;
	case STEP_OVERRIDE:
		set_text(device->override, driver);
		break;
	case STEP_UNBIND:
		set_text(device->driver, "");
		break;
	case STEP_BIND:
		set_text(device->driver, driver);
		break;
	}
}

static void hang_locked(struct kernel_model *model, struct model_device *device,
	enum step_kind kind, const char *driver) {
	if (device) {
		device->locked = true;
		device->pending = kind == STEP_UNBIND || kind == STEP_BIND;
		set_text(device->pending_driver, kind == STEP_BIND ? driver : "");
	}
	wait_for_release(model);
}

/* One operation with its fault. 0 or an errno. */
static int operate(struct kernel_model *model, struct model_device *device, enum step_kind kind,
	const char *driver) {
	struct shared *shared = model->shared;
	const struct fault *fault = take_fault(shared, shared->operations++);
	write_log(shared, kind, device ? device->address : NULL, driver);
	if (device && device->locked) {
		wait_for_release(model);
	}
	if (fault && fault->kind == FAULT_FAIL) {
		return fault->error;
	}
	if (fault && fault->kind == FAULT_IGNORE) {
		return 0;
	}
	if (fault && fault->kind == FAULT_DELAY) {
		poll(NULL, 0, DELAY_MS);
	}
	if (fault && fault->kind == FAULT_HANG) {
		wait_for_release(model);
		return EINTR;
	}
	if (fault && fault->kind == FAULT_KILL) {
		kill(getppid(), SIGKILL);
		_exit(0);
	}
	int error = kind == STEP_LOAD ? 0 : judge(shared, device, kind, driver);
	if (error) {
		return error;
	}
	if ((fault && fault->kind == FAULT_HANG_LOCKED) ||
		(device && device->held && kind == STEP_UNBIND)) {
		hang_locked(model, device, kind, driver);
		return 0;
	}
	apply(shared, device, kind, driver);
	if (fault && fault->kind == FAULT_KILL_LATE) {
		kill(getppid(), SIGKILL);
		_exit(0);
	}
	return fault && fault->kind == FAULT_FAIL_LATE ? fault->error : 0;
}

static int model_write(struct tree *base, const char *path, const char *text) {
	struct kernel_model *model = (struct kernel_model *)base;
	struct model_device *device = device_of(model, path, "driver_override");
	char driver[TEXT], leaf[TEXT];
	int error = ENOENT;
	if (device) {
		bool clear = text[0] == '\0' || text[0] == '\n';
		error = operate(model, device, STEP_OVERRIDE, clear ? NULL : text);
	} else if (sscanf(path, "/sys/bus/pci/drivers/%63[^/]/%63s", driver, leaf) == 2) {
		device = find(model, text, strlen(text));
		if (strcmp(leaf, "bind") == 0) {
			error = operate(model, device, STEP_BIND, driver);
		} else if (strcmp(leaf, "unbind") == 0) {
			error = operate(model, device, STEP_UNBIND, driver);
		}
	}
	errno = error;
	return error ? -1 : 0;
}

static int model_load(const char *driver, void *user) {
	return operate(user, NULL, STEP_LOAD, driver);
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

struct kernel_model *kernel_model_create(const char *fixture) {
	struct kernel_model *model = must_alloc(1, sizeof(*model));
	model->base.impl = &model_interface;
	model->memory = fixture_tree(fixture);
	model->release = eventfd(0, EFD_CLOEXEC);
	model->shared = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (model->shared == MAP_FAILED || model->release < 0) {
		abort();
	}
	memory_tree_put_file(model->memory, "/proc/sys/kernel/random/boot_id", "boot-1\n", 7);
	struct machine machine = fixture_machine(fixture);
	for (size_t i = 0; i < machine.devices_count; i++) {
		struct model_device *device = &model->shared->devices[model->shared->count++];
		const struct pci_device *real = &machine.devices[i];
		set_text(device->address, real->name);
		set_text(device->native, real->driver);
		set_text(device->driver, real->driver);
		set_text(device->override, real->driver_override);
		device->group = real->iommu_group;
	}
	machine_finish(&machine);
	return model;
}

void kernel_model_destroy(struct kernel_model *model) {
	munmap(model->shared, sizeof(struct shared));
	tree_destroy(memory_tree_base(model->memory));
	close(model->release);
	free(model);
}

struct tree *kernel_model_tree(struct kernel_model *model) {
	return &model->base;
}

struct memory_tree *kernel_model_memory(struct kernel_model *model) {
	return model->memory;
}

struct step_host kernel_model_host(struct kernel_model *model) {
	return (struct step_host){.tree = &model->base, .load_driver = model_load, .user = model};
}

void kernel_model_arm(struct kernel_model *model, const struct fault *faults, size_t count) {
	struct shared *shared = model->shared;
	shared->operations = 0;
	shared->log[0] = '\0';
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
			set_text(device->driver, device->pending_driver);
		}
		device->locked = device->held = device->pending = false;
	}
	if (eventfd_write(model->release, 1) < 0) {
		abort();
	}
}

void kernel_model_hold(struct kernel_model *model, const char *address) {
	struct model_device *device = find(model, address, strlen(address));
	device->held = true;
}

char *kernel_model_state(const struct kernel_model *model) {
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	for (size_t i = 0; i < model->shared->count; i++) {
		const struct model_device *device = &model->shared->devices[i];
		fprintf(file, "%s %s %s\n", device->address, device->driver, device->override);
	}
	fclose(file);
	return text;
}
