#include "record/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/doctor.h"
#include "inventory/evdev.h"
#include "inventory/topology.h"
#include "tree/machine_file.h"
#include "tree/recorder.h"

/* Which open files say something about a device; the others are nobody's business. */
static bool keep_open_file(const char *target) {
	static const char *const prefixes[] = {"/dev/dri/", "/dev/fb", "/dev/snd/", "/dev/vfio/",
		"/dev/nvidia", "/dev/sd", "/dev/nvme", "/dev/vd", "/dev/dm-", "/dev/md",
		"/dev/bcache", "/dev/cciss/"};
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (strncmp(target, prefixes[i], strlen(prefixes[i])) == 0) {
			return true;
		}
	}
	return false;
}

/* Leaves the mounts of block devices and ZFS pools. Works in place. */
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
		if (space &&
			(strncmp(space, " /dev/", 6) == 0 || strncmp(tail, " - zfs ", 7) == 0)) {
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

/* Replaces every `column`th word of the lines by "-", unless it is `kept`. Never longer than
 * before.
 */
static void mask_column(char *data, size_t *size, unsigned column, const char *kept) {
	char *out = data, *rest, *line;
	char *text = strndup(data, *size);
	for (rest = text; text && (line = strsep(&rest, "\n")) && line[0] != '\0';) {
		const char *word;
		for (unsigned i = 1; (word = strsep(&line, " ")); i++) {
			out = stpcpy(out, i > 1 ? " " : "");
			bool masked = i == column && word[0] != '\0' && strcmp(word, kept) != 0;
			out = stpcpy(out, masked ? "-" : word);
		}
		*out++ = '\n';
	}
	free(text);
	*size = (size_t)(out - data);
}

/* Leaves the words of the command line that are about devices and memory, not those about disks. */
static void filter_command_line(char *data, size_t *size) {
	static const char *const kept[] = {"intel_iommu", "amd_iommu", "iommu", "pci", "vfio",
		"hugepages", "default_hugepagesz", "video=", "modprobe.blacklist"};
	char *out = data, *rest, *word;
	char *text = strndup(data, *size);
	for (rest = text; text && (word = strsep(&rest, " \n"));) {
		for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
			if (strncmp(word, kept[i], strlen(kept[i])) == 0) {
				out = stpcpy(out, out == data ? "" : " ");
				out = stpcpy(out, word);
				break;
			}
		}
	}
	/* There was a newline, which made room for this one. */
	*out++ = '\n';
	free(text);
	*size = (size_t)(out - data);
}

/* Leaves the lines up to the first empty one that begin with either of these words. */
static void filter_lines(char *data, size_t *size, const char *one, const char *other) {
	char *out = data, *rest, *line;
	char *text = strndup(data, *size);
	for (rest = text; text && (line = strsep(&rest, "\n")) && line[0] != '\0';) {
		if (strncmp(line, one, strlen(one)) == 0 ||
			strncmp(line, other, strlen(other)) == 0) {
			out = stpcpy(out, line);
			*out++ = '\n';
		}
	}
	free(text);
	*size = (size_t)(out - data);
}

static bool filter(const char *path, char *data, size_t *size) {
	const char *name = path_name(path);
	if (strncmp(path, "/sys/firmware/acpi/", 19) == 0 || strstr(path, "/lib/modules/")) {
		*size = 0; /* that it is there is all that counts */
		return true;
	}
	if (strcmp(path, "/network/routes") == 0) {
		mask_column(data, size, 1, "default");
	} else if (strcmp(path, "/network/logins") == 0) {
		mask_column(data, size, 4, "-");
	} else if (strncmp(path, "/run/udev/data/b", 16) == 0) {
		*size = memmem(data, *size, "=zfs_member", 11) ? *size : 0;
		filter_lines(data, size, "E:ID_FS_TYPE=", "E:ID_FS_LABEL=");
	}
	if (strncmp(path, "/proc/", 6) != 0) {
		return true;
	}
	if (strcmp(name, "cmdline") == 0) {
		filter_command_line(data, size);
	} else if (strcmp(name, "cpuinfo") == 0) {
		filter_lines(data, size, "vendor_id", "flags"); /* of the first */
	}
	if (strstr(path, "/fd/")) {
		return keep_open_file(data);
	}
	if (strstr(path, "/fdinfo/")) {
		filter_lines(data, size, "flags:", "flags:");
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
	struct diagnoses diagnoses = {0};
	machine_read(&machine, recorder, NULL);
	if (machine.unseen_processes > 0) {
		char count[24];
		int length = snprintf(count, sizeof(count), "%zu\n", machine.unseen_processes);
		memory_tree_put_file(recording, "/processes/unseen", count, (size_t)length);
	}
	doctor_examine(&diagnoses, &machine, recorder);
	diagnoses_finish(&diagnoses);
	/* What a set-up may ask of the machine. */
	struct evdevs evdevs;
	evdevs_read(&evdevs, &machine, recorder);
	evdevs_finish(&evdevs);
	/* Which ports fall asleep when the card behind them is removed. */
	for (size_t i = 0; i < machine.devices_count; i++) {
		if (machine.devices[i].category == CATEGORY_BRIDGE) {
			tree_exists(recorder, "%s/power/control", machine.devices[i].path);
		}
	}
	machine_finish(&machine);
	struct topology topology;
	topology_read(&topology, recorder, NULL);
	topology_finish(&topology);
	/* What the memory plan starts from. */
	tree_exists(recorder, "/proc/meminfo");
	/* What a short sleep of the machine hangs on. */
	tree_exists(recorder, "/sys/power/state");
	tree_exists(recorder, "/sys/power/mem_sleep");
	tree_exists(recorder, "/sys/class/rtc/rtc0/wakealarm");
	tree_exists(recorder, "/sys/class/rtc/rtc0/device/power/wakeup");
	tree_destroy(recorder);
	return recording;
}

int record_read_machine(struct machine *machine, FILE *file, struct error *error) {
	struct memory_tree *tree = machine_file_parse(file, "this machine", error);
	fclose(file);
	if (!tree) {
		return -1;
	}
	int status = machine_read(machine, memory_tree_base(tree), error);
	tree_destroy(memory_tree_base(tree));
	return status;
}
