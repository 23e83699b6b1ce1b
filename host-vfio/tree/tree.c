#include "tree/tree.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

enum { TEXT_MAX = 1024 * 1024 };

/* Formats the path argument of a variadic function into `path`, or leaves it empty, which no tree
 * finds. */
#define FORMAT_PATH(path, format)                                                                  \
	char path[PATH_MAX];                                                                       \
	do {                                                                                       \
		va_list args;                                                                      \
		va_start(args, format);                                                            \
		int length = vsnprintf(path, sizeof(path), format, args);                          \
		va_end(args);                                                                      \
		if (length < 0 || (size_t)length >= sizeof(path)) {                                \
			path[0] = '\0';                                                            \
		}                                                                                  \
	} while (0)

void tree_destroy(struct tree *tree) {
	if (tree) {
		tree->impl->destroy(tree);
	}
}

static char *read_text(struct tree *tree, const char *path) {
	/* Nearly everything in sysfs fits in a page; some of /proc does not. */
	for (size_t size = 4096; size <= TEXT_MAX; size *= 16) {
		char *text = must_alloc(size + 1, 1);
		ssize_t length = tree->impl->read(tree, path, text, size);
		if (length < 0) {
			int saved = errno;
			free(text);
			errno = saved;
			return NULL;
		}
		if ((size_t)length < size) {
			if (length > 0 && text[length - 1] == '\n') {
				text[length - 1] = '\0';
			}
			return text;
		}
		free(text);
	}
	errno = EFBIG;
	return NULL;
}

char *tree_text(struct tree *tree, const char *format, ...) {
	FORMAT_PATH(path, format);
	return read_text(tree, path);
}

ssize_t tree_bytes(struct tree *tree, void *data, size_t size, const char *format, ...) {
	FORMAT_PATH(path, format);
	return tree->impl->read(tree, path, data, size);
}

long long tree_number(struct tree *tree, long long otherwise, const char *format, ...) {
	FORMAT_PATH(path, format);
	char *text = read_text(tree, path);
	if (!text) {
		return otherwise;
	}
	char *end;
	errno = 0;
	long long number = strtoll(text, &end, 0);
	bool good = errno == 0 && end != text && *end == '\0';
	free(text);
	return good ? number : otherwise;
}

static char *read_link(struct tree *tree, const char *path) {
	char text[PATH_MAX];
	ssize_t length = tree->impl->read_link(tree, path, text, sizeof(text) - 1);
	if (length < 0) {
		return NULL;
	}
	text[length] = '\0';
	return must_copy(text);
}

char *tree_link(struct tree *tree, const char *format, ...) {
	FORMAT_PATH(path, format);
	return read_link(tree, path);
}

char *tree_target(struct tree *tree, const char *format, ...) {
	FORMAT_PATH(path, format);
	char *text = read_link(tree, path);
	if (!text) {
		return NULL;
	}
	char *slash = strrchr(path, '/');
	if (slash) {
		*slash = '\0';
	}
	char *target = path_normalise(path, text);
	free(text);
	return target;
}

struct strings tree_list(struct tree *tree, const char *format, ...) {
	FORMAT_PATH(path, format);
	struct strings names = {0};
	if (tree->impl->list(tree, path, &names) < 0) {
		strings_finish(&names);
	}
	strings_sort(&names);
	return names;
}

bool tree_exists(struct tree *tree, const char *format, ...) {
	FORMAT_PATH(path, format);
	char byte;
	return tree->impl->read(tree, path, &byte, 1) >= 0 ||
	       tree->impl->read_link(tree, path, &byte, 1) >= 0;
}

int tree_write(struct tree *tree, const char *text, const char *format, ...) {
	FORMAT_PATH(path, format);
	if (!tree->impl->write) {
		errno = EROFS;
		return -1;
	}
	return tree->impl->write(tree, path, text);
}
