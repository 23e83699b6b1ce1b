#include "setup/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/must.h"
#include "inventory/json.h"
#include "utf8.h"

static sd_json_variant *strings_json(const struct strings *strings) {
	sd_json_variant *array = json_array();
	for (size_t i = 0; i < strings->count; i++) {
		json_append_string(&array, strings->items[i]);
	}
	return array;
}

/* What cannot be written down as it is cannot be brought back. */
static int check_text(const struct manifest *manifest, struct error *error) {
	for (size_t i = 0; i < manifest->changes.count; i++) {
		const struct change_file *change = &manifest->changes.files[i];
		if ((change->before && !utf8_is_whole(change->before)) ||
			(change->after && !utf8_is_whole(change->after))) {
			return error_set(error,
				"%s is no UTF-8, so that it could not be brought back: convert it "
				"first (iconv)",
				change->path);
		}
	}
	return 0;
}

int manifest_save(const struct manifest *manifest, const char *path, struct error *error) {
	if (check_text(manifest, error) < 0) {
		return -1;
	}
	sd_json_variant *object = NULL, *files = json_array();
	for (size_t i = 0; i < manifest->changes.count; i++) {
		const struct change_file *change = &manifest->changes.files[i];
		sd_json_variant *file = NULL;
		json_set_string(&file, "path", change->path);
		json_set_string(&file, "before", change->before);
		json_set_string(&file, "after", change->after);
		json_set_number(&file, "mode", change->mode);
		json_append(&files, file);
	}
	json_set_number(&object, "version", 1);
	json_set_string(&object, "root", manifest->root);
	json_set(&object, "files", files);
	json_set(&object, "directories", strings_json(&manifest->directories));
	json_set(&object, "commands", strings_json(&manifest->changes.commands));
	json_set(&object, "undoCommands", strings_json(&manifest->changes.undo_commands));
	char *text = NULL;
	if (sd_json_variant_format(object, SD_JSON_FORMAT_PRETTY | SD_JSON_FORMAT_NEWLINE, &text) <
		0) {
		abort();
	}
	sd_json_variant_unref(object);
	char *directory = must_copy(path), *slash = strrchr(directory, '/');
	int status = 0;
	if (slash && slash != directory) {
		*slash = '\0';
		status = file_make_directory(directory, 0755, error);
	}
	if (status == 0) {
		/* What it holds may not be for everybody's eyes. */
		status = file_replace(path, text, strlen(text), 0600, error);
	}
	free(directory);
	free(text);
	return status;
}

static const char *string_of(sd_json_variant *object, const char *name) {
	sd_json_variant *value = sd_json_variant_by_key(object, name);
	return value && sd_json_variant_is_string(value) ? sd_json_variant_string(value) : NULL;
}

/* A path that stays below the root. */
static bool is_plain_path(const char *path) {
	return path && path[0] == '/' && path[1] != '\0' && !strstr(path, "/../") &&
	       !strstr(path, "//");
}

static bool read_file(struct changes *changes, sd_json_variant *object) {
	const char *path = string_of(object, "path"), *after = string_of(object, "after");
	sd_json_variant *mode = sd_json_variant_by_key(object, "mode");
	if (!is_plain_path(path) || !after || !mode || !sd_json_variant_is_unsigned(mode)) {
		return false;
	}
	changes->files = must_grow(changes->files, changes->count, sizeof(*changes->files));
	changes->files[changes->count++] = (struct change_file){
		.path = must_copy(path),
		.before = must_copy(string_of(object, "before")),
		.after = must_copy(after),
		.mode = (mode_t)sd_json_variant_unsigned(mode) & 07777,
	};
	return true;
}

/* An absent list is an empty one: the first manifests had no commands. */
static bool read_strings(struct strings *strings, sd_json_variant *object, const char *name,
	bool (*is_good)(const char *)) {
	sd_json_variant *array = sd_json_variant_by_key(object, name);
	if (array && !sd_json_variant_is_array(array)) {
		return false;
	}
	for (size_t i = 0; array && i < sd_json_variant_elements(array); i++) {
		sd_json_variant *entry = sd_json_variant_by_index(array, i);
		const char *text =
			sd_json_variant_is_string(entry) ? sd_json_variant_string(entry) : NULL;
		if (!is_good(text)) {
			return false;
		}
		strings_add(strings, text);
	}
	return true;
}

static bool is_text(const char *text) {
	return text != NULL;
}

static bool read_manifest(struct manifest *manifest, sd_json_variant *object) {
	sd_json_variant *files = sd_json_variant_by_key(object, "files");
	sd_json_variant *version = sd_json_variant_by_key(object, "version");
	if (!files || !sd_json_variant_is_array(files) || !version ||
		!sd_json_variant_is_unsigned(version) || sd_json_variant_unsigned(version) != 1) {
		return false;
	}
	for (size_t i = 0; i < sd_json_variant_elements(files); i++) {
		if (!read_file(&manifest->changes, sd_json_variant_by_index(files, i))) {
			return false;
		}
	}
	manifest->root = must_copy(string_of(object, "root"));
	return read_strings(&manifest->directories, object, "directories", is_plain_path) &&
	       read_strings(&manifest->changes.commands, object, "commands", is_text) &&
	       read_strings(&manifest->changes.undo_commands, object, "undoCommands", is_text);
}

int manifest_load(struct manifest *manifest, const char *path, struct error *error) {
	*manifest = (struct manifest){0};
	char *text = changes_read("/", path);
	if (!text) {
		return errno == ENOENT ? error_set(error, "there is no set-up to undo (%s)", path)
				       : error_set(error, "%s: %s", path, strerror(errno));
	}
	sd_json_variant *object = NULL;
	bool good =
		sd_json_parse(text, 0, &object, NULL, NULL) >= 0 && read_manifest(manifest, object);
	sd_json_variant_unref(object);
	free(text);
	if (!good) {
		manifest_finish(manifest);
		return error_set(error, "%s is corrupt: nothing was changed", path);
	}
	return 0;
}

void manifest_finish(struct manifest *manifest) {
	changes_finish(&manifest->changes);
	strings_finish(&manifest->directories);
	free(manifest->root);
}
