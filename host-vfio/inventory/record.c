#include "inventory/record.h"

#include <stdlib.h>
#include <string.h>

#include "inventory/machine.h"
#include "tree/recorder.h"

/* Which open files say something about a device; the others are nobody's business. */
static bool keep_open_file(const char *target) {
	static const char *const prefixes[] = {
		"/dev/dri/", "/dev/snd/", "/dev/vfio/", "/dev/nvidia"};
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (strncmp(target, prefixes[i], strlen(prefixes[i])) == 0) {
			return true;
		}
	}
	return false;
}

/* Leaves the mounts of block devices. Works in place. */
static void filter_mounts(char *data, size_t *size) {
	size_t kept = 0;
	for (size_t at = 0; at < *size;) {
		const char *newline = memchr(data + at, '\n', *size - at);
		size_t length = newline ? (size_t)(newline - (data + at)) + 1 : *size - at;
		const char *tail = memmem(data + at, length, " - ", 3);
		/* "- TYPE SOURCE OPTIONS" */
		const char *space =
			tail ? memchr(tail + 3, ' ', length - (size_t)(tail + 3 - (data + at)))
			     : NULL;
		if (space && strncmp(space, " /dev/", 6) == 0) {
			memmove(data + kept, data + at, length);
			kept += length;
		}
		at += length;
	}
	*size = kept;
}

/* Leaves the default routes of /proc/net/route without their gateways, and the heading. */
static void filter_ipv4_routes(char *data, size_t *size) {
	char *out = data, *rest, *line;
	char *text = strndup(data, *size);
	for (rest = text; text && (line = strsep(&rest, "\n"));) {
		char *destination = strchr(line, '\t');
		bool heading = line == text;
		if (!heading && (!destination || strncmp(destination, "\t00000000\t", 10) != 0 ||
					strlen(destination) < 18)) {
			continue;
		}
		if (!heading) {
			memset(destination + 10, '0', 8);
		}
		out = stpcpy(out, line);
		*out++ = '\n';
	}
	free(text);
	*size = (size_t)(out - data);
}

/* The same for /proc/net/ipv6_route: destination, length, source, length, gateway. */
static void filter_ipv6_routes(char *data, size_t *size) {
	enum { GATEWAY = 72, GATEWAY_DIGITS = 32 };
	static const char any[] = "00000000000000000000000000000000 00 ";
	char *out = data, *rest, *line;
	char *text = strndup(data, *size);
	for (rest = text; text && (line = strsep(&rest, "\n"));) {
		if (strncmp(line, any, strlen(any)) != 0 ||
			strlen(line) < GATEWAY + GATEWAY_DIGITS) {
			continue;
		}
		memset(line + GATEWAY, '0', GATEWAY_DIGITS);
		out = stpcpy(out, line);
		*out++ = '\n';
	}
	free(text);
	*size = (size_t)(out - data);
}

static bool filter(const char *path, char *data, size_t *size) {
	const char *name = path_name(path);
	if (strncmp(path, "/proc/", 6) != 0) {
		return true;
	}
	if (strstr(path, "/fd/")) {
		return keep_open_file(data);
	}
	if (strcmp(name, "mountinfo") == 0) {
		filter_mounts(data, size);
	} else if (strcmp(name, "route") == 0) {
		filter_ipv4_routes(data, size);
	} else if (strcmp(name, "ipv6_route") == 0) {
		filter_ipv6_routes(data, size);
	}
	return true;
}

struct memory_tree *record_machine(struct tree *tree) {
	struct memory_tree *recording = memory_tree_create();
	struct tree *recorder = recorder_tree_create(tree, recording, filter);
	struct machine machine;
	machine_read(&machine, recorder, NULL);
	machine_finish(&machine);
	tree_destroy(recorder);
	return recording;
}
