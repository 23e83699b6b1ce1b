/*
 * Linked into every unit test: what is open when the program ends has been open when it began.
 * Whatever a test opens, or what it tests, is closed by then.
 */
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "descriptors.h"

#define MOST 1024

static bool inherited[MOST];
static pid_t process; /* the children of a test end as they like */

/* Calls back for each descriptor but the one that is needed for it. */
static void each_descriptor(void (*callback)(int fd)) {
	DIR *directory = opendir("/proc/self/fd");
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		int fd = atoi(entry->d_name);
		if (entry->d_name[0] != '.' && fd != dirfd(directory)) {
			callback(fd);
		}
	}
	if (directory) {
		closedir(directory);
	}
}

static void keep(int fd) {
	if (fd < MOST) {
		inherited[fd] = true;
	}
}

void descriptors_keep_open(void) {
	each_descriptor(keep);
}

static int counted;

static void count(int fd) {
	counted++;
}

int descriptors_count(void) {
	counted = 0;
	each_descriptor(count);
	return counted;
}

static void judge(int fd) {
	if (fd < MOST && inherited[fd]) {
		return;
	}
	char path[64], target[PATH_MAX];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	fprintf(stderr, "left open: %d %s\n", fd, target);
	_exit(1);
}

__attribute__((constructor)) static void begin(void) {
	process = getpid();
	descriptors_keep_open();
}

__attribute__((destructor)) static void end(void) {
	if (getpid() == process) {
		each_descriptor(judge);
	}
}
