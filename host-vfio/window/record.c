#include "window/record.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/must.h"
#include "base/text.h"

#define FIRST_LINE "portal-config-window 1\n"

void window_record_add(struct window_record *record, const struct window_file *file) {
	record->files = must_grow(record->files, record->count, sizeof(*record->files));
	record->files[record->count++] = *file;
}

void window_record_finish(struct window_record *record) {
	for (size_t i = 0; i < record->count; i++) {
		free(record->files[i].address);
	}
	free(record->files);
	free(record->boot);
	*record = (struct window_record){0};
}

char *window_record_path(const struct config_window_host *host, const char *vm) {
	return vm[0] == '\0' || vm[0] == '.' || strchr(vm, '/') != NULL
		       ? NULL
		       : must_print("%s/%s" WINDOW_SUFFIX, host->directory, vm);
}

bool window_record_is_one(const char *name) {
	const char *suffix = strrchr(name, '.');
	return suffix != NULL && strcmp(suffix, WINDOW_SUFFIX) == 0;
}

int window_record_write(const struct window_record *record, const char *path, struct error *error) {
	struct text text;
	text_init(&text);
	fprintf(text.stream, FIRST_LINE "boot %s\n", record->boot);
	for (size_t i = 0; i < record->count; i++) {
		const struct window_file *file = &record->files[i];
		fprintf(text.stream, "%s %u %u %o\n", file->address, (unsigned)file->uid,
			(unsigned)file->gid, (unsigned)file->mode);
	}
	fputs("end\n", text.stream);
	return text_replace_file(&text, path, 0600, error);
}

/* "ADDRESS UID GID MODE" */
static bool read_line(struct window_record *record, const char *line) {
	char address[32];
	unsigned uid, gid, mode;
	int end = 0;
	if (sscanf(line, "%31[0-9a-f:.] %u %u %o%n", address, &uid, &gid, &mode, &end) != 4 ||
		line[end] != '\0' || strchr(address, ':') == NULL || mode > 0777) {
		return false;
	}
	const struct window_file file = {must_copy(address), uid, gid, mode};
	window_record_add(record, &file);
	return true;
}

static bool parse(struct window_record *record, char *text) {
	bool ended = false;
	if (strncmp(text, FIRST_LINE, strlen(FIRST_LINE)) != 0) {
		return false;
	}
	char *rest = text + strlen(FIRST_LINE), *line;
	while ((line = strsep(&rest, "\n")) != NULL && !ended) {
		if (strncmp(line, "boot ", 5) == 0 && record->boot == NULL) {
			record->boot = must_copy(line + 5);
		} else if (strcmp(line, "end") == 0) {
			ended = true;
		} else if (!read_line(record, line)) {
			return false;
		}
	}
	return ended && record->boot != NULL;
}

int window_record_read(struct window_record *record, const char *path, struct error *error) {
	*record = (struct window_record){0};
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		return errno == ENOENT ? 0 : error_set(error, "%s: %s", path, strerror(errno));
	}
	struct text text;
	text_init(&text);
	for (int c; (c = getc(file)) != EOF;) {
		putc(c, text.stream);
	}
	fclose(file);
	char *content = text_take(&text);
	bool good = parse(record, content);
	free(content);
	if (!good) {
		window_record_finish(record);
		return error_set(error,
			"%s is no record of a window: look at the owners and modes of "
			"/sys/bus/pci/devices/*/config and remove it",
			path);
	}
	return 1;
}

static int find_in(const char *path, const char *boot, const char *address,
	struct window_file *file, struct error *error) {
	struct window_record record;
	int result = window_record_read(&record, path, error);
	if (result <= 0) {
		return result;
	}
	result = 0;
	for (size_t i = 0; i < record.count && strcmp(record.boot, boot) == 0; i++) {
		if (strcmp(record.files[i].address, address) == 0) {
			*file = record.files[i];
			file->address = NULL;
			result = 1;
		}
	}
	window_record_finish(&record);
	return result;
}

int window_record_find(const struct config_window_host *host, const char *address,
	struct window_file *file, struct error *error) {
	DIR *directory = opendir(host->directory);
	if (directory == NULL) {
		return error_set(error, "%s: %s", host->directory, strerror(errno));
	}
	int result = 0;
	struct dirent *entry;
	while (result == 0 && (entry = readdir(directory)) != NULL) {
		if (window_record_is_one(entry->d_name)) {
			char *path = must_print("%s/%s", host->directory, entry->d_name);
			result = find_in(path, host->boot, address, file, error);
			free(path);
		}
	}
	closedir(directory);
	return result;
}
