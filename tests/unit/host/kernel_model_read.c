#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "kernel_model_state.h"

struct model_device *model_device_of(
	struct kernel_model *model, const char *path, const char *leaf) {
	const char *end = strrchr(path, '/');
	if (!end || strcmp(end + 1, leaf) != 0 || strstr(path, "/drivers/")) {
		return NULL;
	}
	const char *start = end;
	while (start > path && start[-1] != '/') {
		start--;
	}
	return model_find(model, start, (size_t)(end - start));
}

struct model_device *model_port_of(struct kernel_model *model, const char *path) {
	static const char leaf[] = "/control";
	size_t length = strlen(path), end = strlen(leaf);
	if (length <= end || strcmp(path + length - end, leaf) != 0) {
		return NULL;
	}
	char *directory = must_print("%.*s", (int)(length - end), path);
	struct model_device *device = model_device_of(model, directory, "power");
	free(directory);
	return device && device->control[0] ? device : NULL;
}

static bool shows(const struct shared *shared, const struct model_framebuffer *framebuffer) {
	if (framebuffer->platform >= 0) {
		return shared->platforms[framebuffer->platform].driver[0] != '\0';
	}
	const struct model_device *device = &shared->devices[framebuffer->device];
	return device->driver[0] && strcmp(device->driver, device->native) == 0;
}

bool model_has_console(const struct shared *shared) {
	for (size_t i = 0; shared->console[0] && i < shared->framebuffers_count; i++) {
		if (shows(shared, &shared->framebuffers[i])) {
			return true;
		}
	}
	return false;
}

/* Is the name one of something that is not there at the moment? */
static bool is_hidden(const struct shared *shared, const char *name, size_t length) {
	for (size_t i = 0; i < shared->count; i++) {
		const struct model_device *device = &shared->devices[i];
		if (device->removed && strlen(device->address) == length &&
			strncmp(device->address, name, length) == 0) {
			return true;
		}
	}
	for (size_t i = 0; i < shared->framebuffers_count; i++) {
		const struct model_framebuffer *framebuffer = &shared->framebuffers[i];
		if (!shows(shared, framebuffer) && strlen(framebuffer->name) == length &&
			strncmp(framebuffer->name, name, length) == 0) {
			return true;
		}
	}
	return shared->console[0] && !model_has_console(shared) &&
	       strlen(shared->console) == length && strncmp(shared->console, name, length) == 0;
}

static bool has_ended(const struct shared *shared, int pid) {
	for (size_t i = 0; i < shared->ended_count; i++) {
		if (shared->ended[i] == pid) {
			return true;
		}
	}
	return false;
}

/* Does a path lead through something that is not there? */
static bool is_gone(const struct shared *shared, const char *path) {
	if (strncmp(path, "/proc/", 6) == 0) {
		return has_ended(shared, atoi(path + 6));
	}
	for (const char *part = path; *part; part += strcspn(part, "/")) {
		part += strspn(part, "/");
		if (is_hidden(shared, part, strcspn(part, "/"))) {
			return true;
		}
	}
	return false;
}

static const struct model_platform *platform_of(const struct shared *shared, const char *path) {
	for (size_t i = 0; i < shared->platforms_count; i++) {
		const char *name = shared->platforms[i].name;
		const char *at = strstr(path, name);
		if (at && strcmp(at + strlen(name), "/driver") == 0) {
			return &shared->platforms[i];
		}
	}
	return NULL;
}

/* The configuration space: its ids, or ones of a card that does not answer. */
static ssize_t read_config(
	struct kernel_model *model, const struct model_device *device, void *data, size_t size) {
	struct tree *memory = memory_tree_base(model->memory);
	const char *address = device->address;
	unsigned vendor = (unsigned)tree_number(
			 memory, 0, "/sys/bus/pci/devices/%s/vendor", address),
		 id = (unsigned)tree_number(memory, 0, "/sys/bus/pci/devices/%s/device", address);
	unsigned char config[4] = {vendor & 0xff, vendor >> 8 & 0xff, id & 0xff, id >> 8 & 0xff};
	if (device->dead) {
		memset(config, 0xff, sizeof(config));
	}
	size_t length = size < sizeof(config) ? size : sizeof(config);
	memcpy(data, config, length);
	return (ssize_t)length;
}

/* The text of a file that the model keeps itself; false when it is none of those. */
static bool own_text(struct kernel_model *model, const char *path, char text[2 * TEXT]) {
	const struct shared *shared = model->shared;
	const struct model_device *device = model_device_of(model, path, "driver_override");
	const char *slash = strrchr(path, '/');
	if (device) {
		model_wait_for_lock(model, device, "read an override");
		snprintf(text, 2 * TEXT, "%s\n", device->override[0] ? device->override : "(null)");
	} else if ((device = model_port_of(model, path))) {
		snprintf(text, 2 * TEXT, "%s\n", device->control);
	} else if ((device = model_device_of(model, path, "reset_method"))) {
		snprintf(text, 2 * TEXT, "%s\n", device->reset);
	} else if (shared->console[0] && slash && strcmp(slash, "/bind") == 0 &&
		   strstr(path, shared->console)) {
		snprintf(text, 2 * TEXT, "%d\n", shared->console_bound);
	} else if (strcmp(path, "/sys/bus/pci/drivers_autoprobe") == 0) {
		snprintf(text, 2 * TEXT, "%s\n", shared->autoprobe);
	} else if (strcmp(path, "/sys/power/mem_sleep") == 0 && shared->mem_sleep[0]) {
		bool deep = strcmp(shared->mem_sleep, "deep") == 0;
		snprintf(text, 2 * TEXT, "%s\n", deep ? "s2idle [deep]" : "[s2idle] deep");
	} else if (strcmp(path, "/sys/class/rtc/rtc0/wakealarm") == 0 && shared->mem_sleep[0]) {
		snprintf(text, 2 * TEXT, "%s\n", shared->alarm);
	} else {
		return false;
	}
	return true;
}

static ssize_t copy(void *data, size_t size, const char *text) {
	size_t length = strlen(text) < size ? strlen(text) : size;
	memcpy(data, text, length);
	return (ssize_t)length;
}

ssize_t model_read(struct tree *base, const char *path, void *data, size_t size) {
	struct kernel_model *model = (struct kernel_model *)base;
	char text[2 * TEXT];
	if (is_gone(model->shared, path)) {
		errno = ENOENT;
		return -1;
	}
	const struct model_device *device = model_device_of(model, path, "config");
	if (device) {
		return read_config(model, device, data, size);
	}
	if (own_text(model, path, text)) {
		return copy(data, size, text);
	}
	struct tree *memory = memory_tree_base(model->memory);
	return memory->impl->read(memory, path, data, size);
}

ssize_t model_read_link(struct tree *base, const char *path, char *data, size_t size) {
	struct kernel_model *model = (struct kernel_model *)base;
	const struct model_device *device = model_device_of(model, path, "driver");
	const struct model_platform *platform = platform_of(model->shared, path);
	char text[2 * TEXT];
	if (is_gone(model->shared, path) || (device && !device->driver[0]) ||
		(platform && !platform->driver[0])) {
		errno = ENOENT;
		return -1;
	}
	if (device || platform) {
		snprintf(text, sizeof(text), "../../../bus/%s/drivers/%s",
			device ? "pci" : "platform", device ? device->driver : platform->driver);
		return copy(data, size, text);
	}
	if (model->shared->vfio_loaded &&
		strcmp(path, "/sys/bus/pci/drivers/vfio-pci/module") == 0) {
		return copy(data, size, "../../../../module/vfio_pci");
	}
	struct tree *memory = memory_tree_base(model->memory);
	return memory->impl->read_link(memory, path, data, size);
}

int model_list(struct tree *base, const char *path, struct strings *names) {
	struct kernel_model *model = (struct kernel_model *)base;
	struct tree *memory = memory_tree_base(model->memory);
	struct strings all = {0};
	int status = -1;
	errno = ENOENT;
	if (!is_gone(model->shared, path)) {
		status = memory->impl->list(memory, path, &all);
	}
	for (size_t i = 0; i < all.count; i++) {
		char *below = must_print("%s/%s", strcmp(path, "/") == 0 ? "" : path, all.items[i]);
		if (!is_gone(model->shared, below)) {
			strings_add(names, all.items[i]);
		}
		free(below);
	}
	strings_finish(&all);
	return status;
}
