#include "setup/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/must.h"
#include "setup/manifest.h"

enum { FILE_MAX = 1024 * 1024 };

static bool same(const char *a, const char *b) {
	return a == b || (a && b && strcmp(a, b) == 0);
}

static char *below(const char *root, const char *path) {
	return must_print("%s%s", strcmp(root, "/") == 0 ? "" : root, path);
}

char *changes_read(const char *root, const char *path) {
	char *whole = below(root, path);
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

static mode_t mode_of(const char *root, const char *path, mode_t otherwise) {
	struct stat status;
	char *whole = below(root, path);
	mode_t mode = stat(whole, &status) == 0 ? status.st_mode & 07777 : otherwise;
	free(whole);
	return mode;
}

int changes_add(struct changes *changes, const char *root, const char *path, const char *after,
	mode_t mode, struct error *error) {
	char *before = changes_read(root, path);
	if (!before && errno != ENOENT) {
		return error_set(error, "%s: %s", path,
			errno == ELOOP ? "is a symbolic link, which is left alone"
				       : strerror(errno));
	}
	if (same(before, after)) {
		free(before);
		return 0;
	}
	changes->files = must_grow(changes->files, changes->count, sizeof(*changes->files));
	changes->files[changes->count++] = (struct change_file){
		.path = must_copy(path),
		.before = before,
		.after = must_copy(after),
		.mode = mode_of(root, path, mode),
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
	*changes = (struct changes){0};
}

static struct strings split(const char *text) {
	struct strings lines = {0};
	char *copy = must_copy(text ? text : ""), *rest = copy, *line;
	while ((line = strsep(&rest, "\n"))) {
		if (rest || line[0] != '\0') {
			strings_add(&lines, line);
		}
	}
	free(copy);
	return lines;
}

/* Everything between the first and the last line that differ. */
static void print_file(const struct change_file *change, FILE *file) {
	struct strings old = split(change->before), new = split(change->after);
	size_t head = 0, tail = 0;
	while (head < old.count && head < new.count &&
		strcmp(old.items[head], new.items[head]) == 0) {
		head++;
	}
	while (tail < old.count - head && tail < new.count - head &&
		strcmp(old.items[old.count - tail - 1], new.items[new.count - tail - 1]) == 0) {
		tail++;
	}
	fprintf(file, "--- %s\n+++ %s\n@@ -%zu,%zu +%zu,%zu @@\n",
		change->before ? change->path : "/dev/null", change->path, head + 1,
		old.count - head - tail, head + 1, new.count - head - tail);
	for (size_t i = head; i < old.count - tail; i++) {
		fprintf(file, "-%s\n", old.items[i]);
	}
	for (size_t i = head; i < new.count - tail; i++) {
		fprintf(file, "+%s\n", new.items[i]);
	}
	strings_finish(&old);
	strings_finish(&new);
}

void changes_print(const struct changes *changes, FILE *file) {
	for (size_t i = 0; i < changes->count; i++) {
		print_file(&changes->files[i], file);
	}
}

/* Adds the parents of a path that are not there, outermost first. */
static void find_missing(struct strings *missing, const char *root, const char *path) {
	char *partial = must_copy(path);
	for (char *at = strchr(partial + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		char *whole = below(root, partial);
		if (access(whole, F_OK) < 0 && !strings_contain(missing, partial)) {
			strings_add(missing, partial);
		}
		free(whole);
		*at = '/';
	}
	free(partial);
}

static int write_file(
	const char *root, const struct change_file *change, const char *text, struct error *error) {
	char *whole = below(root, change->path), *directory = must_copy(whole);
	*strrchr(directory, '/') = '\0';
	int status = file_make_directory(directory, 0755, error);
	if (status == 0) {
		status = file_replace(whole, text, strlen(text), change->mode, error);
	}
	free(directory);
	free(whole);
	return status;
}

/* Brings one file back. */
static int restore_file(const char *root, const struct change_file *change, struct error *error) {
	char *now = changes_read(root, change->path);
	int status = 0;
	if (same(now, change->before)) {
		status = 0; /* it was not its turn yet */
	} else if (change->before) {
		status = write_file(root, change, change->before, error);
	} else {
		char *whole = below(root, change->path);
		if (unlink(whole) < 0) {
			status = error_set(error, "%s: %s", change->path, strerror(errno));
		}
		free(whole);
	}
	free(now);
	return status;
}

static int restore_all(const char *root, const struct manifest *manifest, struct error *error) {
	int status = 0;
	for (size_t i = manifest->changes.count; i > 0; i--) {
		if (restore_file(root, &manifest->changes.files[i - 1], error) < 0) {
			status = -1;
		}
	}
	for (size_t i = manifest->directories.count; i > 0; i--) {
		char *whole = below(root, manifest->directories.items[i - 1]);
		/* Somebody else may have put something into it. */
		rmdir(whole);
		free(whole);
	}
	return status;
}

int changes_apply(const struct changes *changes, const char *root, const char *manifest_path,
	struct error *error) {
	if (access(manifest_path, F_OK) == 0) {
		return error_set(
			error, "there is a set-up already (%s): undo it first", manifest_path);
	}
	struct manifest manifest = {.changes = *changes};
	for (size_t i = 0; i < changes->count; i++) {
		find_missing(&manifest.directories, root, changes->files[i].path);
	}
	int status = manifest_save(&manifest, manifest_path, error);
	for (size_t i = 0; i < changes->count && status == 0; i++) {
		status = write_file(root, &changes->files[i], changes->files[i].after, error);
		if (status < 0 && restore_all(root, &manifest, NULL) == 0) {
			unlink(manifest_path);
		}
	}
	strings_finish(&manifest.directories);
	return status;
}

/* Is every file as it was left, or as it was before (an interrupted apply or undo)? */
static int check_untouched(const char *root, const struct manifest *manifest, struct error *error) {
	for (size_t i = 0; i < manifest->changes.count; i++) {
		const struct change_file *change = &manifest->changes.files[i];
		char *now = changes_read(root, change->path);
		bool known = same(now, change->after) || same(now, change->before);
		free(now);
		if (!known) {
			return error_set(error,
				"%s was changed by somebody else since: merge it by hand",
				change->path);
		}
	}
	return 0;
}

int changes_undo(const char *root, const char *manifest_path, struct error *error) {
	struct manifest manifest;
	if (manifest_load(&manifest, manifest_path, error) < 0) {
		return -1;
	}
	int status = check_untouched(root, &manifest, error);
	if (status == 0) {
		status = restore_all(root, &manifest, error);
	}
	if (status == 0 && unlink(manifest_path) < 0) {
		status = error_set(error, "%s: %s", manifest_path, strerror(errno));
	}
	manifest_finish(&manifest);
	return status;
}
