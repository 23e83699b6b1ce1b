#include "tree/without.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

struct without_tree {
	struct tree base;
	struct tree *source;
	const struct strings *endings;
};

static bool is_left_out(const struct without_tree *tree, const char *path) {
	size_t length = strlen(path);
	for (size_t i = 0; i < tree->endings->count; i++) {
		size_t ending = strlen(tree->endings->items[i]);
		if (length > ending && path[length - ending - 1] == '/' &&
			strcmp(path + length - ending, tree->endings->items[i]) == 0) {
			return true;
		}
	}
	return false;
}

static ssize_t without_read(struct tree *base, const char *path, void *data, size_t size) {
	const struct without_tree *tree = (struct without_tree *)base;
	if (is_left_out(tree, path)) {
		errno = ENOENT;
		return -1;
	}
	return tree->source->impl->read(tree->source, path, data, size);
}

static ssize_t without_read_link(struct tree *base, const char *path, char *data, size_t size) {
	const struct without_tree *tree = (struct without_tree *)base;
	return tree->source->impl->read_link(tree->source, path, data, size);
}

static int without_list(struct tree *base, const char *path, struct strings *names) {
	const struct without_tree *tree = (struct without_tree *)base;
	return tree->source->impl->list(tree->source, path, names);
}

static void without_destroy(struct tree *base) {
	free(base);
}

static const struct tree_interface without_interface = {
	.read = without_read,
	.read_link = without_read_link,
	.list = without_list,
	.destroy = without_destroy,
};

struct tree *without_tree_create(struct tree *source, const struct strings *endings) {
	struct without_tree *tree = must_alloc(1, sizeof(*tree));
	*tree = (struct without_tree){
		.base.impl = &without_interface, .source = source, .endings = endings};
	return &tree->base;
}
