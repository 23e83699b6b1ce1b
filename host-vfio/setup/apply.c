#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/must.h"
#include "setup/changes.h"
#include "setup/entry_name.h"
#include "setup/hunk.h"
#include "setup/manifest.h"
#include "setup/words.h"

/* Every new content is written out beside its file first, and only when all of them are does the
 * first one take its place: a full disk or one that cannot be written is met before anything has
 * changed. The name is a fixed one, so that what a power loss leaves is found again. */
#define BESIDE ".portal-new"

static bool same(const char *a, const char *b) {
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* The path without links of what there is of it: its end may not be there yet. The caller's. */
static char *resolve(const char *path) {
	char *partial = must_copy(path), *found;
	while (!(found = realpath(partial, NULL)) && strrchr(partial, '/')) {
		*strrchr(partial, '/') = '\0';
		if (partial[0] == '\0') {
			break;
		}
	}
	free(partial);
	found = found ? found : realpath(path[0] == '/' ? "/" : ".", NULL);
	return found ? found : must_copy("/");
}

static bool lies_below(const char *path, const char *root) {
	char *whole = resolve(path), *top = resolve(root);
	size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);
	bool below =
		strncmp(whole, top, length) == 0 && (whole[length] == '/' || whole[length] == '\0');
	free(top);
	free(whole);
	return below;
}

/* Another system than the one that was changed would be found without most of the files, as if
 * somebody had removed them. */
static int check_root(
	const struct manifest *manifest, const char *root, const char *path, struct error *error) {
	int status = 0;
	if (!manifest->root) {
		return 0;
	}
	char *whole = resolve(root);
	if (manifest->root[0] == '\0' && !lies_below(path, root)) {
		status = error_set(error,
			"the last set-up (%s) was made in the system that this file lies in, and "
			"not below %s",
			path, root);
	} else if (manifest->root[0] != '\0' && strcmp(manifest->root, whole) != 0) {
		status = error_set(error, "the last set-up (%s) was made below %s: say --into %s",
			path, manifest->root, manifest->root);
	}
	free(whole);
	return status;
}

/* What a change is to lead to: the content, or NULL for none. */
static const char *wanted(const struct change_file *change, bool back) {
	return back ? change->before : change->after;
}

/* Is there nothing to do for it? */
static bool is_settled(const char *root, const struct change_file *change, bool back) {
	char *now = changes_read(root, change->path);
	bool settled = same(now, wanted(change, back)) || (back && !now);
	free(now);
	return settled;
}

/* Adds the parents of a path that are not there, outermost first. */
static void find_missing(struct strings *missing, const char *root, const char *path) {
	char *partial = must_copy(path);
	for (char *at = strchr(partial + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		char *whole = changes_path(root, partial);
		if (access(whole, F_OK) < 0 && !strings_contain(missing, partial)) {
			strings_add(missing, partial);
		}
		free(whole);
		*at = '/';
	}
	free(partial);
}

static int make_parents(const char *path, struct error *error) {
	char *directory = must_copy(path);
	*strrchr(directory, '/') = '\0';
	int status = file_make_directory(directory, 0755, error);
	free(directory);
	return status;
}

/* Belongs to whom the file belongs that it is to replace. */
static int keep_owner(const char *beside, const char *whole, mode_t mode) {
	struct stat former, now;
	if (lstat(whole, &former) < 0 || lstat(beside, &now) < 0 ||
		(former.st_uid == now.st_uid && former.st_gid == now.st_gid)) {
		return 0;
	}
	/* A change of owner takes the bits for other identities away. */
	return lchown(beside, former.st_uid, former.st_gid) < 0 ? -1 : chmod(beside, mode);
}

static int prepare(
	const char *root, const struct change_file *change, bool back, struct error *error) {
	const char *text = wanted(change, back);
	if (!text || is_settled(root, change, back)) {
		return 0;
	}
	char *whole = changes_path(root, change->path), *beside = must_print("%s" BESIDE, whole);
	unlink(beside);
	int status = make_parents(whole, error);
	if (status == 0 && (file_create(beside, text, strlen(text), change->mode) < 0 ||
				   keep_owner(beside, whole, change->mode) < 0)) {
		status = error_set(error, "%s: %s", change->path, strerror(errno));
	}
	free(beside);
	free(whole);
	return status;
}

static int commit(
	const char *root, const struct change_file *change, bool back, struct error *error) {
	if (is_settled(root, change, back)) {
		return 0;
	}
	char *whole = changes_path(root, change->path), *beside = must_print("%s" BESIDE, whole);
	int status = wanted(change, back) ? rename(beside, whole) : unlink(whole);
	if (status == 0) {
		status = file_sync_directory(whole);
	}
	if (status < 0) {
		status = error_set(error, "%s: %s", change->path, strerror(errno));
	}
	free(beside);
	free(whole);
	return status;
}

/* Removes what prepare() left, and directories that are empty then. */
static void clear(const char *root, const struct manifest *manifest, bool directories) {
	for (size_t i = 0; i < manifest->changes.count; i++) {
		char *whole = changes_path(root, manifest->changes.files[i].path);
		char *beside = must_print("%s" BESIDE, whole);
		unlink(beside);
		free(beside);
		free(whole);
	}
	for (size_t i = manifest->directories.count; i > 0 && directories; i--) {
		char *whole = changes_path(root, manifest->directories.items[i - 1]);
		/* Somebody else may have put something into it. */
		rmdir(whole);
		free(whole);
	}
}

/* Leads every file to what it is to be; the last one first on the way back. -1 with the reason:
 * `begun` tells whether any may be changed by then. */
static int switch_all(const char *root, const struct manifest *manifest, bool back, bool *begun,
	struct error *error) {
	const struct changes *changes = &manifest->changes;
	int status = 0;
	*begun = false;
	for (size_t i = 0; i < changes->count && status == 0; i++) {
		status = prepare(root, &changes->files[i], back, error);
	}
	for (size_t i = 0; i < changes->count && status == 0; i++) {
		*begun = true;
		size_t index = back ? changes->count - i - 1 : i;
		status = commit(root, &changes->files[index], back, error);
	}
	clear(root, manifest, back ? status == 0 : !*begun);
	return status;
}

int changes_apply(const struct changes *changes, const char *root, const char *manifest_path,
	struct error *error) {
	if (access(manifest_path, F_OK) == 0) {
		return error_set(
			error, "there is a set-up already (%s): undo it first", manifest_path);
	}
	struct manifest manifest = {
		.changes = *changes,
		.root = lies_below(manifest_path, root) ? must_copy("") : resolve(root),
	};
	for (size_t i = 0; i < changes->count; i++) {
		find_missing(&manifest.directories, root, changes->files[i].path);
	}
	bool begun = false;
	int status = manifest_save(&manifest, manifest_path, error);
	if (status == 0) {
		status = switch_all(root, &manifest, false, &begun, error);
		/* When not even the way back works, the manifest stays for another try. */
		if (status < 0 &&
			(!begun || switch_all(root, &manifest, true, &begun, NULL) == 0)) {
			unlink(manifest_path);
		}
	}
	strings_finish(&manifest.directories);
	free(manifest.root);
	return status;
}

/* An entry that systemd-boot counted the tries of may have got another name since. */
static void follow_entries(const char *root, const struct changes *changes) {
	for (size_t i = 0; i < changes->count; i++) {
		struct change_file *change = &changes->files[i];
		char *whole = changes_path(root, change->path);
		char *now = change->before && access(whole, F_OK) < 0
				    ? entry_name_find(root, change->path)
				    : NULL;
		if (now) {
			free(change->path);
			change->path = now;
		}
		free(whole);
	}
}

/* kernel-install makes a boot loader's entry anew with one blank where there were several, whenever
 * an initramfs is: that is nobody's change. */
static bool is_like(const struct change_file *change, const char *now, const char *text) {
	return same(now, text) ||
	       (now && text && entry_name_is(change->path) && words_same(now, text));
}

/* Somebody changed a file since. Where that was elsewhere in it, only the set-up's own lines are to
 * be taken back: that is what it is to become then. */
static bool merge(struct change_file *change, const char *now) {
	struct hunk hunk;
	hunk_init(&hunk, change->before, change->after);
	char *merged = now && change->before ? hunk_take_back(&hunk, now) : NULL;
	hunk_finish(&hunk);
	if (merged) {
		free(change->before);
		change->before = merged;
	}
	return merged != NULL;
}

/* Keeps what somebody changed, to be shown. */
static void add_edited(
	struct changes_undone *undone, const struct change_file *change, const char *now) {
	struct changes *edited = &undone->edited;
	edited->files = must_grow(edited->files, edited->count, sizeof(*edited->files));
	edited->files[edited->count++] = (struct change_file){
		.path = must_copy(change->path),
		.before = must_copy(change->after),
		.after = must_copy(now ? now : ""),
	};
}

/* Is every file as it was left, or as it was before (an interrupted apply or undo), or can be taken
 * back beside what somebody else changed? */
static int check_untouched(const char *root, const struct manifest *manifest,
	const char *manifest_path, struct changes_undone *undone, struct error *error) {
	for (size_t i = 0; i < manifest->changes.count; i++) {
		struct change_file *change = &manifest->changes.files[i];
		char *now = changes_read(root, change->path);
		bool removed = !now && errno == ENOENT;
		bool known = removed || is_like(change, now, change->after) ||
			     is_like(change, now, change->before);
		if (removed && change->before) {
			strings_add(&undone->gone, change->path);
		}
		if (!known && merge(change, now)) {
			strings_add(&undone->merged, change->path);
		} else if (!known) {
			add_edited(undone, change, now);
		}
		free(now);
	}
	if (undone->edited.count == 0) {
		return 0;
	}
	return error_set(error,
		"%s was changed by somebody else in what the set-up had written: make it as the "
		"set-up left it, or as it was before (\"before\" in %s), and say --undo again",
		undone->edited.files[0].path, manifest_path);
}

int changes_undo(const char *root, const char *manifest_path, struct changes_undone *undone,
	struct error *error) {
	struct manifest manifest;
	bool begun;
	*undone = (struct changes_undone){0};
	if (manifest_load(&manifest, manifest_path, error) < 0) {
		return -1;
	}
	int status = check_root(&manifest, root, manifest_path, error);
	if (status == 0) {
		follow_entries(root, &manifest.changes);
		status = check_untouched(root, &manifest, manifest_path, undone, error);
	}
	if (status == 0) {
		status = switch_all(root, &manifest, true, &begun, error);
	}
	if (status == 0 && unlink(manifest_path) < 0) {
		status = error_set(error, "%s: %s", manifest_path, strerror(errno));
	}
	struct strings *commands = manifest.changes.undo_commands.count > 0
					   ? &manifest.changes.undo_commands
					   : &manifest.changes.commands;
	undone->commands = *commands;
	*commands = (struct strings){0};
	manifest_finish(&manifest);
	return status;
}

void changes_undone_finish(struct changes_undone *undone) {
	strings_finish(&undone->commands);
	strings_finish(&undone->gone);
	strings_finish(&undone->merged);
	changes_finish(&undone->edited);
}
