#include "tree/recorder.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

enum { FILE_MAX = 1024 * 1024 };

struct recorder_tree {
	struct tree base;
	struct tree *source;
	struct memory_tree *recording;
	recorder_filter_func_t filter;
};

/* Puts every link on the way to `path` into the recording, and returns the real path; NULL when a
 * link leads in circles. The caller's. */
static char *record_way(struct recorder_tree *recorder, const char *path) {
	char *real = must_copy("");
	char *left = must_copy(path);
	char *rest = left;
	int links = 0;
	while (rest && links < 40) {
		rest += strspn(rest, "/");
		size_t length = strcspn(rest, "/");
		if (length == 0) {
			free(left);
			return real;
		}
		char *next = must_print("%s/%.*s", real, (int)length, rest);
		char text[PATH_MAX];
		struct tree *source = recorder->source;
		ssize_t size = source->impl->read_link(source, next, text, sizeof(text) - 1);
		if (size < 0) {
			free(real);
			real = next;
			rest += length;
			continue;
		}
		text[size] = '\0';
		memory_tree_put_link(recorder->recording, next, text);
		char *target = path_normalise(real, text);
		char *joined = must_print("%s%s", target, rest + length);
		free(target);
		free(left);
		free(next);
		free(real);
		real = must_copy("");
		rest = left = joined;
		links++;
	}
	free(left);
	free(real);
	return NULL;
}

static void record_file(struct recorder_tree *recorder, const char *path) {
	/* All of it, however little of it was asked for. */
	struct tree *source = recorder->source;
	char *data = NULL;
	ssize_t length = -1;
	for (size_t room = 4096; room <= FILE_MAX; room *= 16) {
		free(data);
		/* Filters may need room for a newline. */
		data = must_alloc(room + 1, 1);
		length = source->impl->read(source, path, data, room);
		if (length < (ssize_t)room) {
			break;
		}
	}
	char *real = length >= 0 ? record_way(recorder, path) : NULL;
	size_t size = (size_t)length;
	if (real && (!recorder->filter || recorder->filter(real, data, &size))) {
		memory_tree_put_file(recorder->recording, real, data, size);
	}
	free(real);
	free(data);
}

static ssize_t recorder_read(struct tree *base, const char *path, void *data, size_t size) {
	struct recorder_tree *recorder = (struct recorder_tree *)base;
	struct tree *source = recorder->source;
	ssize_t length = source->impl->read(source, path, data, size);
	if (length >= 0) {
		record_file(recorder, path);
	}
	return length;
}

static ssize_t recorder_read_link(struct tree *base, const char *path, char *data, size_t size) {
	struct recorder_tree *recorder = (struct recorder_tree *)base;
	struct tree *source = recorder->source;
	ssize_t length = source->impl->read_link(source, path, data, size);
	int saved = errno;
	const char *name = path_name(path);
	if (length >= 0 && name > path) {
		char *directory = must_print("%.*s", (int)(name - path) - 1, path);
		char *kept = must_print("%.*s", (int)length, data);
		size_t kept_size = strlen(kept);
		char *real = record_way(recorder, directory);
		char *whole = real ? must_print("%s/%s", real, name) : NULL;
		if (whole && (!recorder->filter || recorder->filter(whole, kept, &kept_size))) {
			memory_tree_put_link(recorder->recording, whole, kept);
		}
		free(whole);
		free(real);
		free(kept);
		free(directory);
	}
	errno = saved;
	return length;
}

static int recorder_list(struct tree *base, const char *path, struct strings *names) {
	struct tree *source = ((struct recorder_tree *)base)->source;
	return source->impl->list(source, path, names);
}

static void recorder_destroy(struct tree *base) {
	free(base);
}

static const struct tree_interface recorder_interface = {
	.read = recorder_read,
	.read_link = recorder_read_link,
	.list = recorder_list,
	.destroy = recorder_destroy,
};

struct tree *recorder_tree_create(
	struct tree *source, struct memory_tree *recording, recorder_filter_func_t filter) {
	struct recorder_tree *recorder = must_alloc(1, sizeof(*recorder));
	recorder->base.impl = &recorder_interface;
	recorder->source = source;
	recorder->recording = recording;
	recorder->filter = filter;
	return &recorder->base;
}
