#include "setup/changes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "setup/hunk.h"

enum { FILE_MAX = 1024 * 1024 };

char *changes_path(const char *root, const char *path) {
	return must_print("%s%s", strcmp(root, "/") == 0 ? "" : root, path);
}

char *changes_read(const char *root, const char *path) {
	char *whole = changes_path(root, path);
	int fd = open(whole, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	free(whole);
	if (fd < 0) {
		return NULL;
	}
	char *text = must_alloc(FILE_MAX + 1, 1);
	size_t size = 0;
	ssize_t got;
	while ((got = read(fd, text + size, FILE_MAX - size)) > 0) {
		size += (size_t)got;
	}
	int saved = errno;
	close(fd);
	if (got < 0 || size == FILE_MAX || strlen(text) != size) {
		errno = got < 0 ? saved : EFBIG;
		free(text);
		return NULL;
	}
	return text;
}

void changes_list(
	struct strings *paths, const char *root, const char *directory, const char *suffix) {
	char *whole = changes_path(root, directory);
	struct strings found = {0};
	const struct dirent *entry;
	DIR *stream = opendir(whole);
	while (stream && (entry = readdir(stream))) {
		size_t length = strlen(entry->d_name), end = strlen(suffix);
		if (length > end && strcmp(entry->d_name + length - end, suffix) == 0) {
			strings_take(&found, must_print("%s/%s", directory, entry->d_name));
		}
	}
	if (stream) {
		closedir(stream);
	}
	strings_sort(&found);
	for (size_t i = 0; i < found.count; i++) {
		strings_add(paths, found.items[i]);
	}
	strings_finish(&found);
	free(whole);
}

mode_t changes_mode(const char *root, const char *path) {
	struct stat status;
	char *whole = changes_path(root, path);
	mode_t mode = stat(whole, &status) == 0 ? status.st_mode & 07777 : 0644;
	free(whole);
	return mode;
}

/* Does the path stay below the root? In a tree that was made for another machine, a link such as
 * /boot/efi -> /efi would lead to this machine's files. */
static bool stays_below(const char *root, const char *path) {
	char top[PATH_MAX], found[PATH_MAX];
	if (strcmp(root, "/") == 0 || root[0] == '\0') {
		return true;
	}
	if (!realpath(root, top)) {
		return false;
	}
	char *parent = changes_path(root, path);
	bool below = true;
	for (char *slash = strrchr(parent, '/'); slash; slash = strrchr(parent, '/')) {
		*slash = '\0';
		if (realpath(parent, found)) {
			size_t length = strlen(top);
			below = strncmp(found, top, length) == 0 &&
				(found[length] == '/' || found[length] == '\0');
			break;
		}
	}
	free(parent);
	return below;
}

int changes_add(struct changes *changes, const char *root, const char *path, const char *after,
	mode_t mode, struct error *error) {
	if (!stays_below(root, path)) {
		return error_set(error, "%s: a link in this path leads out of %s", path, root);
	}
	char *before = changes_read(root, path);
	if (!before && errno != ENOENT) {
		return error_set(error, "%s: %s", path,
			errno == ELOOP ? "is a symbolic link, which is left alone"
				       : strerror(errno));
	}
	if (before && strcmp(before, after) == 0) {
		free(before);
		return 0;
	}
	changes->files = must_grow(changes->files, changes->count, sizeof(*changes->files));
	changes->files[changes->count++] = (struct change_file){
		.path = must_copy(path),
		.before = before,
		.after = must_copy(after),
		.mode = before ? changes_mode(root, path) : mode,
	};
	return 0;
}

void changes_finish(struct changes *changes) {
	for (size_t i = 0; i < changes->count; i++) {
		free(changes->files[i].path);
		free(changes->files[i].before);
		free(changes->files[i].after);
	}
	free(changes->files);
	strings_finish(&changes->commands);
	strings_finish(&changes->undo_commands);
	*changes = (struct changes){0};
}

void changes_print(const struct changes *changes, FILE *file) {
	for (size_t i = 0; i < changes->count; i++) {
		const struct change_file *change = &changes->files[i];
		struct hunk hunk;
		hunk_init(&hunk, change->before, change->after);
		fprintf(file, "--- %s\n+++ %s\n", change->before ? change->path : "/dev/null",
			change->path);
		hunk_print(&hunk, file);
		hunk_finish(&hunk);
	}
}
