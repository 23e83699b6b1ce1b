#include "machine.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* PCI ids of ivshmem, as QEMU's docs/specs/ivshmem-spec.rst gives them. */
#define IVSHMEM_VENDOR "0x1af4"
#define IVSHMEM_DEVICE "0x1110"

static int print(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int print(char *text, size_t size, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, size, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

/* The first line of a file without its end. A longer one than fits is an error, not a shorter line.
 */
static int read_line(char *text, size_t size, const char *directory, const char *name) {
	char path[512];
	if (print(path, sizeof(path), "%s/%s", directory, name) < 0) {
		return -1;
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return -1;
	}
	ssize_t length = read(fd, text, size);
	close(fd);
	if (length < 0) {
		return -1;
	}
	char *end = memchr(text, '\n', (size_t)length);
	if (end == NULL && (size_t)length == size) {
		errno = ENAMETOOLONG;
		return -1;
	}
	text[end != NULL ? end - text : length] = '\0';
	return 0;
}

typedef bool (*matcher)(const char *directory, const char *name);

/* The entry of a sysfs directory that matches, the first by name when there are more. */
static bool find_entry(char *found, size_t size, const char *directory, matcher matches) {
	DIR *dir = opendir(directory);
	if (dir == NULL) {
		return false;
	}
	found[0] = '\0';
	struct dirent *entry;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= size ||
			!matches(directory, entry->d_name)) {
			continue;
		}
		if (found[0] == '\0' || strcmp(entry->d_name, found) < 0) {
			strcpy(found, entry->d_name);
		}
	}
	closedir(dir);
	return found[0] != '\0';
}

static bool attribute_is(
	const char *directory, const char *name, const char *attribute, const char *prefix) {
	char path[512], value[128];
	return print(path, sizeof(path), "%s/%s", directory, name) == 0 &&
	       read_line(value, sizeof(value), path, attribute) == 0 &&
	       strncmp(value, prefix, strlen(prefix)) == 0;
}

static bool is_port(const char *directory, const char *name) {
	return attribute_is(directory, name, "name", MACHINE_PORT_NAME);
}

static bool is_dax(const char *directory, const char *name) {
	return strncmp(name, "dax", 3) == 0;
}

static bool is_ivshmem(const char *directory, const char *name) {
	return attribute_is(directory, name, "vendor", IVSHMEM_VENDOR) &&
	       attribute_is(directory, name, "device", IVSHMEM_DEVICE);
}

/* The kernel's tree, not /dev, says what there is: udev may not have come to the node yet. */
static bool find_in(
	char *name, size_t size, const char *sysfs, const char *below, matcher matches) {
	char directory[256];
	return print(directory, sizeof(directory), "%s/%s", sysfs, below) == 0 &&
	       find_entry(name, size, directory, matches);
}

int machine_find_transport(char *text, size_t size, const char *sysfs, const char *credentials) {
	if (credentials != NULL && read_line(text, size, credentials, "portal.listen") == 0) {
		return 0;
	}
	char name[64], path[256];
	if (find_in(name, sizeof(name), sysfs, "class/virtio-ports", is_port)) {
		return print(text, size, "virtio-serial:/dev/%s", name);
	}
	if (print(path, sizeof(path), "%s/class/misc/vsock", sysfs) == 0 &&
		access(path, F_OK) == 0) {
		return print(text, size, "vsock:any:%d", MACHINE_VSOCK_PORT);
	}
	errno = ENOENT;
	return -1;
}

int machine_find_heap(char *text, size_t size, const char *sysfs, const char *credentials) {
	if (credentials != NULL && read_line(text, size, credentials, "portal.heap") == 0) {
		return 0;
	}
	char name[64];
	if (find_in(name, sizeof(name), sysfs, "bus/dax/devices", is_dax)) {
		return print(text, size, "dax:/dev/%s", name);
	}
	if (find_in(name, sizeof(name), sysfs, "bus/pci/devices", is_ivshmem)) {
		return print(text, size, "ivshmem:%s", name);
	}
	errno = ENOENT;
	return -1;
}
